//! The schema as data: every element of the configuration with its attributes and children, and the schema
//! versions between which they exist.

use super::forms::{self, Form};

/// Major and minor number of a schema.
pub(super) type Number = (u8, u8);

const FIRST: Number = (1, 0);
/// The last schema before the clean-up of 4.0.
const V3: Number = (3, 10);
const LAST: Number = (u8::MAX, u8::MAX);
/// Before every schema.
const NEVER: Number = (0, 0);

/// What values an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Unique in the whole configuration.
    Id,
    /// Names an ID.
    Reference,
    Text,
    Boolean,
    Integer,
    NonNegative,
    Positive,
    Score,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Digits, or two runs of digits with a minus sign between.
    PortRange,
    /// Comma-separated names of fence devices.
    Devices,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    /// An attribute whose values changed has a row for each time.
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) since: Number,
    pub(super) until: Number,
}

/// How often a child may stand in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    One,
    Optional,
    Any,
    Some,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Child {
    pub(super) name: &'static str,
    pub(super) count: Count,
    pub(super) since: Number,
    pub(super) until: Number,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) name: &'static str,
    pub(super) attributes: &'static [Attribute],
    pub(super) children: &'static [Child],
    /// What goes beyond lists: attributes that exclude or need each other.
    pub(super) form: Option<Form>,
    /// Anything may stand inside.
    pub(super) open: bool,
    /// Up to this schema, children stand in the order of their rows.
    pub(super) ordered_until: Number,
}

impl Attribute {
    const fn since(self, major: u8, minor: u8) -> Attribute {
        Attribute { since: (major, minor), ..self }
    }

    const fn until(self, major: u8, minor: u8) -> Attribute {
        Attribute { until: (major, minor), ..self }
    }
}

impl Child {
    const fn since(self, major: u8, minor: u8) -> Child {
        Child { since: (major, minor), ..self }
    }

    const fn until(self, major: u8, minor: u8) -> Child {
        Child { until: (major, minor), ..self }
    }
}

/// The row for an element name.
pub(super) fn element(name: &str) -> Option<&'static Element> {
    ELEMENTS.binary_search_by(|row| row.name.cmp(name)).ok().map(|index| &ELEMENTS[index])
}

const fn must(name: &'static str, kind: Kind) -> Attribute {
    Attribute { name, kind, required: true, since: FIRST, until: LAST }
}

const fn may(name: &'static str, kind: Kind) -> Attribute {
    Attribute { required: false, ..must(name, kind) }
}

const fn child(name: &'static str, count: Count) -> Child {
    Child { name, count, since: FIRST, until: LAST }
}

const fn row(name: &'static str, attributes: &'static [Attribute], children: &'static [Child]) -> Element {
    Element { name, attributes, children, form: None, open: false, ordered_until: NEVER }
}

const fn with_form(element: Element, form: Form) -> Element {
    Element { form: Some(form), ..element }
}

const ID: Attribute = must("id", Kind::Id);
const OPTIONAL_ID: Attribute = may("id", Kind::Id);
const ID_REF: Attribute = may("id-ref", Kind::Reference);
const DESCRIPTION: Attribute = may("description", Kind::Text);
/// Where it came late.
const NEW_DESCRIPTION: Attribute = DESCRIPTION.since(3, 10);

const ROLES: Kind = Kind::Words(&["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"]);
const OLD_ROLES: Kind = Kind::Words(&["Stopped", "Started", "Master", "Slave"]);
const ACTIONS: Kind = Kind::Words(&["start", "promote", "demote", "stop"]);
const KINDS: Kind = Kind::Words(&["Optional", "Mandatory", "Serialize"]);
const CLASSES: Kind =
    Kind::Words(&["ocf", "lsb", "heartbeat", "stonith", "service", "systemd", "upstart", "nagios"]);
const OLD_CLASSES: Kind = Kind::Words(&["ocf", "lsb", "heartbeat", "stonith", "upstart"]);
const ON_FAIL: Kind =
    Kind::Words(&["ignore", "block", "demote", "stop", "restart", "standby", "fence", "restart-container"]);

const SETS: [Child; 3] = [
    child("instance_attributes", Count::Any),
    child("meta_attributes", Count::Any),
    child("utilization", Count::Any).since(1, 2),
];
const ATTRIBUTE_SETS: &[Child] = &[SETS[0], SETS[1]];
const NODE_SETS: &[Child] = &[SETS[0], SETS[2]];
const META_SETS: &[Child] = &[SETS[1]];
const TEMPLATE_CHILDREN: &[Child] = &[SETS[0], SETS[1], SETS[2], child("operations", Count::Optional)];
/// Utilization of what holds primitives.
const UTILIZATION: Child = SETS[2].since(3, 10);

const NVSET_ATTRIBUTES: &[Attribute] = &[OPTIONAL_ID, ID_REF, may("score", Kind::Score)];
const NVSET_CHILDREN: &[Child] =
    &[child("rule", Count::Any), child("nvpair", Count::Any), child("attributes", Count::Any).until(1, 0)];

const fn nvset(name: &'static str) -> Element {
    with_form(row(name, NVSET_ATTRIBUTES, NVSET_CHILDREN), forms::name_value_set)
}

const BUNDLE_ENGINE: &[Attribute] = &[
    must("image", Kind::Text),
    may("replicas", Kind::Integer),
    may("replicas-per-host", Kind::Integer),
    may("masters", Kind::Integer),
    may("promoted-max", Kind::Integer).since(3, 0),
    may("run-command", Kind::Text),
    may("network", Kind::Text),
    may("options", Kind::Text),
];

const ACL_MEMBER: &[Attribute] =
    &[must("id", Kind::Text), may("name", Kind::Text).since(3, 8), NEW_DESCRIPTION];

/// Permissions before schema 2.0 are elements of their own.
const OLD_PERMISSION: &[Attribute] = &[
    ID,
    may("xpath", Kind::Text),
    may("ref", Kind::Reference),
    may("tag", Kind::Text),
    may("attribute", Kind::Text),
];

/// All elements by name.
pub(super) const ELEMENTS: &[Element] = &[
    row(
        "acl_group",
        &[ID, may("name", Kind::Text).since(3, 8), NEW_DESCRIPTION],
        &[child("role", Count::Any)],
    ),
    with_form(
        row(
            "acl_permission",
            &[
                ID,
                must("kind", Kind::Words(&["read", "write", "deny"])),
                may("xpath", Kind::Text),
                may("reference", Kind::Reference),
                may("object-type", Kind::Text),
                may("attribute", Kind::Text),
                DESCRIPTION,
            ],
            &[],
        ),
        forms::acl_permission,
    ),
    row(
        "acl_role",
        &[ID, DESCRIPTION.since(2, 0)],
        &[
            child("acl_permission", Count::Any).since(2, 0),
            child("read", Count::Any).until(1, 3),
            child("write", Count::Any).until(1, 3),
            child("deny", Count::Any).until(1, 3),
        ],
    ),
    row("acl_target", ACL_MEMBER, &[child("role", Count::Any)]),
    row(
        "acl_user",
        &[ID],
        &[
            child("role_ref", Count::Any),
            child("read", Count::Any),
            child("write", Count::Any),
            child("deny", Count::Any),
        ],
    )
    .formed(forms::acl_user),
    row(
        "acls",
        &[],
        &[
            child("acl_group", Count::Any).since(2, 0),
            child("acl_role", Count::Any),
            child("acl_target", Count::Any).since(2, 0),
            child("acl_user", Count::Any).until(1, 3),
        ],
    ),
    row(
        "alert",
        &[ID, must("path", Kind::Text), DESCRIPTION],
        &[SETS[0], SETS[1], child("select", Count::Optional).since(2, 10), child("recipient", Count::Any)],
    )
    .ordered_until(2, 9),
    row("alerts", &[], &[child("alert", Count::Any)]),
    row("attribute", &[ID, must("name", Kind::Text)], &[]),
    Element { open: true, ..row("attributes", &[], &[]) },
    with_form(
        row(
            "bundle",
            &[ID, DESCRIPTION],
            &[
                SETS[0],
                SETS[1],
                UTILIZATION,
                child("docker", Count::Optional),
                child("podman", Count::Optional).since(3, 2),
                child("rkt", Count::Optional).since(2, 10).until(3, 10),
                child("network", Count::Optional),
                child("storage", Count::Optional),
                child("primitive", Count::Optional),
            ],
        ),
        forms::bundle,
    ),
    row(
        "cib",
        &[
            must("validate-with", Kind::Text),
            must("admin_epoch", Kind::NonNegative),
            must("epoch", Kind::NonNegative),
            must("num_updates", Kind::NonNegative),
            may("crm_feature_set", Kind::Text),
            may("have-quorum", Kind::Boolean),
            may("no-quorum-panic", Kind::Boolean),
            may("dc-uuid", Kind::Text),
            may("cib-last-written", Kind::Text),
            may("update-origin", Kind::Text).since(1, 2),
            may("update-client", Kind::Text).since(1, 2),
            may("update-user", Kind::Text).since(1, 2),
            may("remote-tls-port", Kind::NonNegative),
            may("remote-clear-port", Kind::NonNegative),
            may("execution-date", Kind::Text),
        ],
        &[child("configuration", Count::One), child("status", Count::One)],
    )
    .ordered_until(LAST.0, LAST.1),
    with_form(
        row(
            "clone",
            &[ID, DESCRIPTION],
            &[
                SETS[0],
                SETS[1],
                UTILIZATION,
                child("primitive", Count::Optional),
                child("group", Count::Optional),
            ],
        ),
        forms::clone,
    ),
    nvset("cluster_property_set"),
    row(
        "configuration",
        &[],
        &[
            child("crm_config", Count::One),
            child("nodes", Count::One),
            child("resources", Count::One),
            child("constraints", Count::One),
            child("rsc_defaults", Count::Optional),
            child("op_defaults", Count::Optional),
            child("fencing-topology", Count::Optional).since(1, 2),
            child("tags", Count::Optional).since(1, 3),
            child("alerts", Count::Optional).since(2, 5),
            child("acls", Count::Optional).since(1, 2),
        ],
    ),
    row(
        "constraints",
        &[],
        &[
            child("rsc_location", Count::Any),
            child("rsc_colocation", Count::Any),
            child("rsc_order", Count::Any),
            child("rsc_ticket", Count::Any).since(1, 2),
        ],
    ),
    row("crm_config", &[], &[child("cluster_property_set", Count::Any)]),
    with_form(
        row(
            "date_expression",
            &[
                ID,
                may("operation", Kind::Words(&["in_range", "gt", "lt", "date_spec"])),
                may("start", Kind::Text),
                may("end", Kind::Text),
            ],
            &[child("duration", Count::Optional), child("date_spec", Count::Optional)],
        ),
        forms::date_expression,
    ),
    row(
        "date_spec",
        &[
            ID,
            may("years", Kind::Text),
            may("months", Kind::Text),
            may("monthdays", Kind::Text),
            may("hours", Kind::Text),
            may("minutes", Kind::Text).since(3, 9),
            may("seconds", Kind::Text).since(3, 9),
            may("yeardays", Kind::Text).since(3, 9),
            may("weekyears", Kind::Text),
            may("weeks", Kind::Text),
            may("weekdays", Kind::Text),
            may("yearsdays", Kind::Text).until(V3.0, V3.1),
            may("moon", Kind::Text).until(V3.0, V3.1),
        ],
        &[],
    ),
    row("deny", OLD_PERMISSION, &[]).formed(forms::old_permission),
    row("docker", BUNDLE_ENGINE, &[]),
    row(
        "duration",
        &[
            ID,
            may("years", Kind::Text),
            may("months", Kind::Text),
            may("weeks", Kind::Text),
            may("days", Kind::Text).since(3, 9),
            may("hours", Kind::Text),
            may("minutes", Kind::Text).since(3, 9),
            may("seconds", Kind::Text).since(3, 9),
            may("monthdays", Kind::Text).until(V3.0, V3.1),
            may("yearsdays", Kind::Text).until(V3.0, V3.1),
            may("weekdays", Kind::Text).until(V3.0, V3.1),
            may("weekyears", Kind::Text).until(V3.0, V3.1),
            may("moon", Kind::Text).until(V3.0, V3.1),
        ],
        &[],
    ),
    row(
        "expression",
        &[
            ID,
            must("attribute", Kind::Text),
            must("operation", Kind::Words(&["lt", "gt", "lte", "gte", "eq", "ne", "defined", "not_defined"])),
            may("value", Kind::Text),
            may("type", Kind::Words(&["string", "number", "version"])).until(3, 4),
            may("type", Kind::Words(&["string", "integer", "number", "version"])).since(3, 5),
            may("value-source", Kind::Words(&["literal", "param", "meta"])).since(2, 9),
        ],
        &[],
    ),
    with_form(
        row(
            "fencing-level",
            &[
                ID,
                may("target", Kind::Text),
                may("target-pattern", Kind::Text).since(1, 2),
                may("target-attribute", Kind::Text).since(2, 4),
                may("target-value", Kind::Text).since(2, 4),
                must("index", Kind::Positive),
                must("devices", Kind::Devices),
            ],
            &[],
        ),
        forms::fencing_level,
    ),
    row("fencing-topology", &[], &[child("fencing-level", Count::Any)]),
    row("group", &[ID, DESCRIPTION], &[SETS[0], SETS[1], UTILIZATION, child("primitive", Count::Some)]),
    nvset("instance_attributes"),
    row("lifetime", &[], &[child("rule", Count::Some)]),
    with_form(
        row(
            "master",
            &[ID, DESCRIPTION],
            &[
                SETS[0],
                SETS[1],
                UTILIZATION,
                child("primitive", Count::Optional),
                child("group", Count::Optional),
            ],
        ),
        forms::clone,
    ),
    nvset("meta_attributes"),
    row(
        "network",
        &[
            may("ip-range-start", Kind::Text),
            may("control-port", Kind::Integer),
            may("host-interface", Kind::Text),
            may("host-netmask", Kind::Integer),
            may("add-host", Kind::Boolean).since(3, 0),
        ],
        &[child("port-mapping", Count::Any)],
    ),
    row(
        "node",
        &[
            must("id", Kind::Text),
            must("uname", Kind::Text),
            must("type", Kind::Words(&["normal", "member", "ping"])).until(1, 0),
            may("type", Kind::Words(&["normal", "member", "ping"])).since(1, 2).until(1, 2),
            may("type", Kind::Words(&["normal", "member", "ping", "remote"])).since(1, 3).until(2, 10),
            may("type", Kind::Words(&["member", "ping", "remote"])).since(3, 0),
            may("score", Kind::Score).since(1, 2),
            DESCRIPTION,
        ],
        NODE_SETS,
    ),
    with_form(row("nodes", &[], &[child("node", Count::Any)]), forms::nodes),
    with_form(
        row("nvpair", &[OPTIONAL_ID, ID_REF, may("name", Kind::Text), may("value", Kind::Text)], &[]),
        forms::name_value_pair,
    ),
    row("obj_ref", &[must("id", Kind::Text)], &[]),
    with_form(
        row(
            "op",
            &[
                ID,
                must("name", Kind::Text),
                must("interval", Kind::Text),
                may("timeout", Kind::Text),
                may("start-delay", Kind::Text),
                may("interval-origin", Kind::Text),
                may("enabled", Kind::Boolean),
                may("record-pending", Kind::Boolean),
                may("role", OLD_ROLES).until(3, 6),
                may("role", ROLES).since(3, 7),
                may("on-fail", Kind::Words(&["ignore", "block", "stop", "restart", "standby", "fence"]))
                    .until(1, 0),
                may(
                    "on-fail",
                    Kind::Words(&[
                        "ignore",
                        "block",
                        "stop",
                        "restart",
                        "standby",
                        "fence",
                        "restart-container",
                    ]),
                )
                .since(1, 2)
                .until(3, 3),
                may("on-fail", ON_FAIL).since(3, 4),
                DESCRIPTION,
                may("requires", Kind::Words(&["nothing", "quorum", "fencing"])).until(1, 2),
                may("requires", Kind::Words(&["nothing", "quorum", "fencing", "unfencing"]))
                    .since(1, 3)
                    .until(2, 10),
            ],
            ATTRIBUTE_SETS,
        ),
        forms::operation,
    ),
    row("op_defaults", &[], META_SETS),
    row("op_expression", &[ID, must("name", Kind::Text), may("interval", Kind::Text)], &[]),
    row("operations", &[OPTIONAL_ID, ID_REF, NEW_DESCRIPTION], &[child("op", Count::Any)]),
    row("podman", BUNDLE_ENGINE, &[]),
    with_form(
        row(
            "port-mapping",
            &[
                ID,
                may("port", Kind::Integer),
                may("internal-port", Kind::Integer),
                may("range", Kind::PortRange),
            ],
            &[],
        ),
        forms::port_mapping,
    ),
    with_form(
        row(
            "primitive",
            &[
                ID,
                may("class", OLD_CLASSES).until(1, 0),
                may("class", CLASSES).since(1, 2),
                may("provider", Kind::Text),
                may("type", Kind::Text),
                may("template", Kind::Reference).since(1, 2),
                DESCRIPTION,
            ],
            TEMPLATE_CHILDREN,
        ),
        forms::primitive,
    ),
    row("read", OLD_PERMISSION, &[]).formed(forms::old_permission),
    row("recipient", &[ID, must("value", Kind::Text), DESCRIPTION], ATTRIBUTE_SETS),
    row("resource_ref", &[must("id", Kind::Reference)], &[]),
    with_form(
        row(
            "resource_set",
            &[
                OPTIONAL_ID,
                ID_REF,
                may("sequential", Kind::Boolean),
                may("require-all", Kind::Boolean).since(1, 2),
                may("ordering", Kind::Words(&["group", "listed"])).since(2, 1),
                may("action", ACTIONS),
                may("role", OLD_ROLES).until(3, 6),
                may("role", ROLES).since(3, 7),
                may("score", Kind::Score),
                may("kind", KINDS).since(3, 0),
            ],
            &[child("resource_ref", Count::Any)],
        ),
        forms::resource_set,
    ),
    row(
        "resources",
        &[],
        &[
            child("primitive", Count::Any),
            child("template", Count::Any).since(1, 2),
            child("group", Count::Any),
            child("clone", Count::Any),
            child("master", Count::Any).until(V3.0, V3.1),
            child("bundle", Count::Any).since(2, 8),
        ],
    ),
    row("rkt", BUNDLE_ENGINE, &[]),
    row("role", &[must("id", Kind::Reference)], &[]).formed(forms::role),
    row("role_ref", &[must("id", Kind::Reference)], &[]).formed(forms::role),
    row("rsc_colocation", COLOCATION, &[OLD_LIFETIME, child("resource_set", Count::Any)])
        .ordered_until(V3.0, V3.1)
        .formed(forms::colocation),
    row("rsc_defaults", &[], META_SETS),
    row(
        "rsc_expression",
        &[ID, may("class", Kind::Text), may("provider", Kind::Text), may("type", Kind::Text)],
        &[],
    ),
    row(
        "rsc_location",
        LOCATION,
        &[child("resource_set", Count::Any).since(1, 2), child("rule", Count::Any), OLD_LIFETIME],
    )
    .ordered_until(V3.0, V3.1)
    .formed(forms::location),
    row("rsc_order", ORDER, &[OLD_LIFETIME, child("resource_set", Count::Any)])
        .ordered_until(V3.0, V3.1)
        .formed(forms::order),
    row(
        "rsc_ticket",
        &[
            ID,
            must("ticket", Kind::Text),
            may("rsc", Kind::Reference),
            may("rsc-role", OLD_ROLES).until(3, 6),
            may("rsc-role", ROLES).since(3, 7),
            may("loss-policy", Kind::Words(&["stop", "demote", "fence", "freeze"])),
        ],
        &[child("resource_set", Count::Any)],
    )
    .formed(forms::ticket),
    row(
        "rule",
        &[
            OPTIONAL_ID,
            ID_REF,
            may("boolean-op", Kind::Words(&["and", "or"])),
            may("role", Kind::Text),
            may("score", Kind::Score),
            may("score-attribute", Kind::Text),
        ],
        &[
            child("expression", Count::Any),
            child("date_expression", Count::Any),
            child("rsc_expression", Count::Any).since(3, 4),
            child("op_expression", Count::Any).since(3, 4),
            child("rule", Count::Any),
        ],
    )
    .formed(forms::rule),
    row(
        "select",
        &[],
        &[
            child("select_attributes", Count::Optional),
            child("select_fencing", Count::Optional),
            child("select_nodes", Count::Optional),
            child("select_resources", Count::Optional),
        ],
    ),
    row("select_attributes", &[], &[child("attribute", Count::Any)]),
    row("select_fencing", &[], &[]),
    row("select_nodes", &[], &[]),
    row("select_resources", &[], &[]),
    Element { open: true, ..row("status", &[], &[]) },
    row("storage", &[], &[child("storage-mapping", Count::Any)]),
    row(
        "storage-mapping",
        &[
            ID,
            may("source-dir", Kind::Text),
            may("source-dir-root", Kind::Text),
            must("target-dir", Kind::Text),
            may("options", Kind::Text),
        ],
        &[],
    )
    .formed(forms::storage_mapping),
    row("tag", &[ID, NEW_DESCRIPTION], &[child("obj_ref", Count::Some)]),
    row("tags", &[], &[child("tag", Count::Any)]),
    row(
        "template",
        &[
            ID,
            may("class", OLD_CLASSES).until(2, 7),
            may("class", CLASSES).since(2, 8),
            may("provider", Kind::Text),
            may("type", Kind::Text),
            DESCRIPTION,
        ],
        TEMPLATE_CHILDREN,
    )
    .formed(forms::primitive),
    nvset("utilization"),
    row("write", OLD_PERMISSION, &[]).formed(forms::old_permission),
];

const OLD_LIFETIME: Child = child("lifetime", Count::Optional).until(V3.0, V3.1);

const LOCATION: &[Attribute] = &[
    ID,
    may("rsc", Kind::Reference),
    may("rsc-pattern", Kind::Text).since(2, 6),
    may("role", OLD_ROLES).since(1, 2).until(3, 6),
    may("role", ROLES).since(3, 7),
    may("node", Kind::Text),
    may("score", Kind::Score),
    may("resource-discovery", Kind::Words(&["always", "never", "exclusive"])).since(2, 2),
];

const COLOCATION: &[Attribute] = &[
    ID,
    may("score", Kind::Score),
    may("score-attribute", Kind::Text).until(2, 10),
    may("score-attribute-mangle", Kind::Text).until(2, 10),
    may("influence", Kind::Text).since(3, 6),
    may("rsc", Kind::Reference),
    may("with-rsc", Kind::Reference),
    may("node-attribute", Kind::Text),
    may("rsc-role", OLD_ROLES).until(3, 6),
    may("rsc-role", ROLES).since(3, 7),
    may("with-rsc-role", OLD_ROLES).until(3, 6),
    may("with-rsc-role", ROLES).since(3, 7),
];

const ORDER: &[Attribute] = &[
    ID,
    may("first", Kind::Reference),
    may("then", Kind::Reference),
    may("first-action", ACTIONS),
    may("then-action", ACTIONS),
    may("score", Kind::Score),
    may("kind", KINDS),
    may("symmetrical", Kind::Boolean),
    may("require-all", Kind::Boolean).since(2, 3),
];

impl Element {
    const fn ordered_until(self, major: u8, minor: u8) -> Element {
        Element { ordered_until: (major, minor), ..self }
    }

    const fn formed(self, form: Form) -> Element {
        with_form(self, form)
    }
}
