//! Tables of everything that can be set by name: cluster options, resource meta-attributes,
//! operation attributes, control parameters of fence devices. One source for checks, defaults,
//! completion, help texts and "did you mean".

/// What values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    Boolean,
    /// An interval specification, not negative.
    Duration,
    /// A number with a time unit; some options give a meaning to negative ones.
    Timeout,
    /// An integer or ±INFINITY.
    Integer,
    NonNegative,
    /// A positive integer or INFINITY.
    Positive,
    Percentage,
    Score,
    Text,
    Version,
    /// One of these words, exactly.
    Select(&'static [&'static str]),
    /// One of these words in any case.
    SelectIgnoringCase(&'static [&'static str]),
}

impl OptionKind {
    /// Type name used in metadata.
    pub fn name(self) -> &'static str {
        match self {
            OptionKind::Boolean => "boolean",
            OptionKind::Duration => "duration",
            OptionKind::Timeout => "timeout",
            OptionKind::Integer => "integer",
            OptionKind::NonNegative | OptionKind::Positive => "nonnegative_integer",
            OptionKind::Percentage => "percentage",
            OptionKind::Score => "score",
            OptionKind::Text => "string",
            OptionKind::Version => "version",
            OptionKind::Select(_) | OptionKind::SelectIgnoringCase(_) => "select",
        }
    }

    /// What a value should look like, if `value` does not; nothing if it does.
    pub fn expects(self, value: &str) -> Option<String> {
        let list =
            |words: &[&str]| words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
        let whole = |text: &str| text.parse::<u32>().is_ok();
        let is_time =
            crate::value::parse_interval(value).is_some() || crate::value::parse_with_unit(value).is_some();
        let (good, words) = match self {
            OptionKind::Boolean => (
                crate::value::parse_boolean(value).is_some(),
                "a pacemaker boolean value: '0', '1', 'false', 'n', 'no', 'off', 'on', 'true', 'y', 'yes'"
                    .to_owned(),
            ),
            OptionKind::Duration | OptionKind::Timeout => {
                (is_time, "time interval (e.g. 1, 2s, 3m, 4h, ...)".to_owned())
            }
            OptionKind::Integer | OptionKind::Score => {
                // what is read leniently (3x as 3) is told strictly
                let plain = value.trim_start_matches(['+', '-']);
                let good = plain.eq_ignore_ascii_case("infinity") || value.parse::<i64>().is_ok();
                (good, "an integer or INFINITY or -INFINITY".to_owned())
            }
            OptionKind::NonNegative => (whole(value), "a non-negative integer".to_owned()),
            OptionKind::Positive => (
                value == "INFINITY" || value.parse::<u32>().is_ok_and(|number| number > 0),
                "a positive integer or INFINITY".to_owned(),
            ),
            OptionKind::Percentage => {
                (value.strip_suffix('%').is_some_and(whole), "a percentage (e.g. 80%)".to_owned())
            }
            OptionKind::Select(words) => (words.contains(&value), list(words)),
            OptionKind::SelectIgnoringCase(words) => {
                (words.iter().any(|word| word.eq_ignore_ascii_case(value)), list(words))
            }
            OptionKind::Text | OptionKind::Version => (true, String::new()),
        };
        (!good).then_some(words)
    }

    /// The words of a choice.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            OptionKind::Select(words) | OptionKind::SelectIgnoringCase(words) => words,
            _ => &[],
        }
    }
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionInfo {
    pub name: &'static str,
    /// Older names that are still understood.
    pub legacy: &'static [&'static str],
    pub kind: OptionKind,
    /// Value when unset; `None` if there is none.
    pub default: Option<&'static str>,
    /// One line for lists.
    pub description: &'static str,
    /// More words; may be empty.
    pub details: &'static str,
    /// Rarely of use.
    pub advanced: bool,
    /// Written by the cluster itself.
    pub generated: bool,
    /// Will go away.
    pub deprecated: bool,
}

const fn option(
    name: &'static str,
    kind: OptionKind,
    default: &'static str,
    description: &'static str,
) -> OptionInfo {
    OptionInfo {
        name,
        legacy: &[],
        kind,
        default: Some(default),
        description,
        details: "",
        advanced: false,
        generated: false,
        deprecated: false,
    }
}

impl OptionInfo {
    /// Type name used in metadata.
    pub fn kind_name(&self) -> &'static str {
        self.kind.name()
    }

    const fn legacy(self, legacy: &'static [&'static str]) -> OptionInfo {
        OptionInfo { legacy, ..self }
    }

    const fn details(self, details: &'static str) -> OptionInfo {
        OptionInfo { details, ..self }
    }

    const fn advanced(self) -> OptionInfo {
        OptionInfo { advanced: true, ..self }
    }

    const fn generated(self) -> OptionInfo {
        OptionInfo { generated: true, default: None, ..self }
    }

    const fn deprecated(self) -> OptionInfo {
        OptionInfo { deprecated: true, ..self }
    }

    const fn no_default(self) -> OptionInfo {
        OptionInfo { default: None, ..self }
    }
}

use OptionKind::*;

/// Cluster options, by name of the property.
pub const CLUSTER_OPTIONS: &[OptionInfo] = &[
    option("dc-version", Version, "", "Version of the software on the DC")
        .details("Written by the cluster for people who look for problems.")
        .generated(),
    option("cluster-infrastructure", Text, "", "Messaging layer in use").details("Written by the cluster for information.").generated(),
    option("cluster-name", Text, "", "Name of the cluster")
        .details("Free text. Available to rules as node attribute #cluster-name.")
        .no_default(),
    option("dc-deadtime", Duration, "20s", "How long a starting node waits for others")
        .details("Raise it for slow or busy networks and nodes that start at very different times."),
    option("cluster-recheck-interval", Duration, "15min", "How often the cluster looks at everything again without an event")
        .details("The cluster acts on events and knows when rules on dates change. This is the safety net under that; 0 turns it off."),
    option("fencing-reaction", Select(&["stop", "panic"]), "stop", "What a node does when it learns that it was fenced but still runs")
        .legacy(&["fence-reaction"])
        .details("stop leaves the cluster at once; panic restarts or powers off the machine at once."),
    option("election-timeout", Duration, "2min", "How long choosing a DC may take").advanced(),
    option("shutdown-escalation", Duration, "20min", "After how long a node that cannot leave in order leaves without").advanced(),
    option("join-integration-timeout", Duration, "3min", "How long joining nodes have to answer").legacy(&["crmd-integration-timeout"]).advanced(),
    option("join-finalization-timeout", Duration, "30min", "How long joining nodes have to finish").legacy(&["crmd-finalization-timeout"]).advanced(),
    option("transition-delay", Duration, "0s", "Pause before acting, to let related events arrive")
        .legacy(&["crmd-transition-delay"])
        .details("Delays every recovery by this much. Only of use with event storms.")
        .advanced(),
    option("fencing-watchdog-timeout", Timeout, "0", "When a lost node can be taken for dead because its watchdog fired")
        .legacy(&["stonith-watchdog-timeout"])
        .details("0 turns watchdog fencing off. A negative value means twice the watchdog timeout of the host. With a watchdog daemon running without disks, unseen nodes count as fenced after this time."),
    option("fencing-max-attempts", Positive, "10", "How many times fencing a target may fail before the cluster stops trying at once").legacy(&["stonith-max-attempts"]),
    option("load-threshold", Percentage, "80%", "Processor load above which a node gets fewer operations at once"),
    option("node-action-limit", Integer, "0", "Most operations at once on a node").details("0 means twice the number of processor cores."),
    option("no-quorum-policy", SelectIgnoringCase(&["stop", "freeze", "ignore", "demote", "fence", "suicide"]), "stop", "What to do in a partition without quorum")
        .details("stop: stop everything. freeze: keep what runs, recover nothing from lost nodes. ignore: go on as with quorum. demote: demote promoted instances, stop the rest. fence: fence all nodes of the partition."),
    option("shutdown-lock", Boolean, "false", "Keep resources of a node that shuts down for that node")
        .details("Resources that were active on a node when it was shut down cleanly are started again only there, until the limit passes or the lock is cleared."),
    option("shutdown-lock-limit", Duration, "0", "How long a shutdown lock holds").details("0 means until the node is back."),
    option("enable-acl", Boolean, "false", "Enforce access control lists"),
    option("symmetric-cluster", Boolean, "true", "Whether resources may run on any node unless told otherwise"),
    option("maintenance-mode", Boolean, "false", "Leave all resources alone")
        .details("Nothing is started, stopped or monitored until this is false again."),
    option("start-failure-is-fatal", Boolean, "true", "One failed start bans a resource from the node")
        .details("If false, the fail count and migration-threshold decide."),
    option("enable-startup-probes", Boolean, "true", "Look for resources that are already active when a node joins"),
    option("fencing-enabled", Boolean, "true", "Fence nodes that cannot be trusted")
        .legacy(&["stonith-enabled"])
        .details("Turning it off puts data at risk: a lost node is then only assumed to be dead.")
        .advanced(),
    option("fencing-action", Select(&["reboot", "off"]), "reboot", "What fencing does to a node").legacy(&["stonith-action"]),
    option("fencing-timeout", Duration, "60s", "How long a fence action may take unless the device says otherwise").legacy(&["stonith-timeout"]),
    option("have-watchdog", Boolean, "false", "Whether watchdog fencing is available").details("Written by the cluster."). advanced().generated_with_default("false"),
    option("concurrent-fencing", Boolean, "true", "Fence several nodes at once").deprecated(),
    option("startup-fencing", Boolean, "true", "Fence nodes that have never been seen")
        .details("Turning it off is only safe when it is certain that unseen nodes run nothing.")
        .advanced(),
    option("priority-fencing-delay", Duration, "0", "Extra delay for fencing the node that runs the more important resources")
        .details("Lets the better half of a split cluster survive. Choose it clearly longer than the random delays of the devices."),
    option("node-pending-timeout", Duration, "0", "How long a node may be a member without its cluster process before it is fenced").details("0 means for ever."),
    option("fence-remote-without-quorum", Boolean, "false", "Allow fencing of remote nodes without quorum"),
    option("cluster-delay", Duration, "60s", "Longest round trip over the network").details("Added to timeouts of operations that run on other nodes."),
    option("batch-limit", Integer, "0", "Most operations at once in the whole cluster").details("0 adapts to the load, a negative value means no limit."),
    option("migration-limit", Integer, "-1", "Most live migrations at once on a node").details("A negative value means no limit."),
    option("stop-all-resources", Boolean, "false", "Stop everything"),
    option("stop-removed-resources", Boolean, "true", "Stop resources that are no longer configured").legacy(&["stop-orphan-resources"]),
    option("cancel-removed-actions", Boolean, "true", "Cancel recurring operations that are no longer configured").legacy(&["stop-orphan-actions"]),
    option("pe-error-series-max", Integer, "-1", "How many inputs with errors to keep").details("0 keeps none, a negative value all."),
    option("pe-warn-series-max", Integer, "5000", "How many inputs with warnings to keep").details("0 keeps none, a negative value all."),
    option("pe-input-series-max", Integer, "4000", "How many other inputs to keep").details("0 keeps none, a negative value all."),
    option("node-health-strategy", SelectIgnoringCase(&["none", "migrate-on-red", "only-green", "progressive", "custom"]), "none", "What the health of a node means for its resources")
        .details("Health is in node attributes whose names begin with #health: red, yellow, green or a score."),
    option("node-health-base", Score, "0", "Score that a node has before health attributes are added").details("Only with the strategy progressive."),
    option("node-health-green", Score, "0", "Score for green").details("Only with the strategies progressive and custom."),
    option("node-health-yellow", Score, "0", "Score for yellow").details("Only with the strategies progressive and custom."),
    option("node-health-red", Score, "-INFINITY", "Score for red").details("Only with the strategies progressive and custom."),
    option("placement-strategy", SelectIgnoringCase(&["default", "utilization", "minimal", "balanced"]), "default", "How utilization and load decide placement")
        .details("default: by number of resources. utilization: only nodes with enough capacity. minimal: as few nodes as possible. balanced: evenly by free capacity."),
    option("cluster-ipc-limit", NonNegative, "500", "Most messages waiting for a client before it is cut off").advanced(),
];

impl OptionInfo {
    const fn generated_with_default(self, default: &'static str) -> OptionInfo {
        OptionInfo { generated: true, default: Some(default), ..self }
    }
}

/// Meta-attributes of resources of all kinds.
pub const RESOURCE_META_ATTRIBUTES: &[OptionInfo] = &[
    option("priority", Score, "0", "Importance when not all resources can run")
        .details("Resources of lower priority are stopped first to keep those of higher priority."),
    option("critical", Boolean, "true", "Default of influence for colocations of this resource")
        .details("If false, others are not moved to keep this resource running."),
    option(
        "target-role",
        SelectIgnoringCase(&["Stopped", "Started", "Unpromoted", "Promoted"]),
        "Started",
        "Highest role the cluster may give the resource",
    ),
    option("is-managed", Boolean, "true", "Whether the cluster may start and stop the resource"),
    option("maintenance", Boolean, "false", "Leave the resource alone, monitors included"),
    option("resource-stickiness", Score, "", "Preference for staying where it is")
        .details("Default 1 for instances of clones and 0 for others.")
        .no_default(),
    option(
        "requires",
        Select(&["nothing", "quorum", "fencing", "unfencing"]),
        "",
        "What must be given before the resource may start",
    )
    .details("The default depends on the kind of resource and on whether fencing is enabled.")
    .no_default(),
    option(
        "migration-threshold",
        Score,
        "INFINITY",
        "Failures on a node after which the resource must leave it",
    )
    .details("0 means never."),
    option("failure-timeout", Duration, "0", "After how long failures are forgotten")
        .details("0 means never."),
    option(
        "multiple-active",
        Select(&["block", "stop_only", "stop_start", "stop_unexpected"]),
        "stop_start",
        "What to do when the resource is active on several nodes",
    ),
    option("allow-migrate", Boolean, "", "Move the resource live if its agent can")
        .details("Default true for remote node connections and false for others.")
        .no_default(),
    option("allow-unhealthy-nodes", Boolean, "false", "Let the resource run where node health forbids it"),
    option(
        "container-attribute-target",
        Text,
        "",
        "Where node attributes of a guest or bundle node are read",
    )
    .details("host reads them from the node that runs the container.")
    .no_default(),
    option("remote-node", Text, "", "Name of the guest node that this resource launches").no_default(),
    option("remote-addr", Text, "", "Address of the guest node")
        .details("The default is the name of the guest node.")
        .no_default(),
    option("remote-port", NonNegative, "3121", "Port of the guest node"),
    option("remote-connect-timeout", Timeout, "60s", "How long connecting to the guest node may take"),
    option("remote-allow-migrate", Boolean, "true", "Whether the connection to the guest node may move live"),
    option("provides", Text, "", "unfencing: this fence device must run on before a node may be used")
        .no_default(),
    option("notify", Boolean, "false", "Tell the agent before and after actions on other instances"),
    option("clone-max", NonNegative, "", "Number of instances")
        .details("The default is the number of nodes.")
        .no_default(),
    option("clone-node-max", NonNegative, "1", "Most instances on a node"),
    option(
        "clone-min",
        NonNegative,
        "0",
        "Instances that must run before what depends on the clone may start",
    ),
    option("globally-unique", Boolean, "false", "Whether each instance is different")
        .details("The default is true if clone-node-max is greater than 1."),
    option("ordered", Boolean, "false", "Start instances one after the other")
        .details("For groups the default is true."),
    option("interleave", Boolean, "false", "Order and place instances with those on the same node only"),
    option("promotable", Boolean, "false", "Whether instances can be promoted"),
    option("promoted-max", NonNegative, "1", "Most promoted instances").legacy(&["master-max"]),
    option("promoted-node-max", NonNegative, "1", "Most promoted instances on a node")
        .legacy(&["master-node-max"]),
    option("collocated", Boolean, "true", "Keep the members of a group on one node").deprecated(),
    option("container", Text, "", "Resource that launches this one").no_default().advanced(),
    option("internal_rsc", Boolean, "", "Hide the resource").no_default().advanced(),
];

/// Attributes of operations, as XML attributes or meta-attributes.
pub const OPERATION_ATTRIBUTES: &[OptionInfo] = &[
    option("name", Text, "", "Action").no_default(),
    option("interval", Duration, "0", "How often it runs").details("0 means when needed."),
    option("timeout", Timeout, "20s", "How long it may take"),
    option(
        "on-fail",
        Select(&["ignore", "block", "demote", "stop", "restart", "standby", "fence", "restart-container"]),
        "",
        "What to do when it fails",
    )
    .details("The default is restart; for stop it is fence, or block if fencing is disabled.")
    .no_default(),
    option(
        "role",
        SelectIgnoringCase(&["Stopped", "Started", "Unpromoted", "Promoted", "Slave", "Master"]),
        "",
        "Run it only in this role",
    )
    .no_default(),
    option("enabled", Boolean, "true", "If false, it does not run"),
    option("start-delay", Duration, "0", "Wait this long before the first run"),
    option("interval-origin", Text, "", "Date from which intervals count").no_default(),
    option("record-pending", Boolean, "true", "Record it when it starts, not only when it ends"),
    option("description", Text, "", "Free text").no_default(),
    option("id", Text, "", "ID").no_default(),
];

/// Control parameters that every fence device has.
pub const FENCING_PARAMETERS: &[OptionInfo] = &[
    option("pcmk_host_argument", Text, "", "Agent parameter that carries the target")
        .details("The default is port or plug, whichever the agent has. none leaves it out.")
        .no_default()
        .advanced(),
    option("pcmk_host_map", Text, "", "Names of nodes in the words of the device").details("For example node1:1;node2:2,3 for node1 on outlet 1 and node2 on outlets 2 and 3.").no_default(),
    option("pcmk_host_list", Text, "", "Nodes that the device can fence").details("Needed unless the device can be asked for its targets.").no_default(),
    option("pcmk_host_check", Select(&["dynamic-list", "static-list", "status", "none"]), "", "How to find out which nodes the device can fence")
        .details("static-list if a list or map is given, else dynamic-list or status if the agent can, else none (it can fence any).")
        .no_default(),
    option("pcmk_delay_max", Duration, "0s", "Upper bound of the delay before a node is fenced").details("The delay is chosen at random between pcmk_delay_base and this."),
    option("pcmk_delay_base", Text, "0s", "Delay before a node is fenced").details("One value, or one for each node: node1:5s;node2:0."),
    option("pcmk_action_limit", Integer, "1", "Most actions at once with the device").details("-1 means no limit."),
    action_word("pcmk_reboot_action", "reboot", "Command sent for reboot"),
    action_timeout("pcmk_reboot_timeout", "Time allowed for reboot"),
    action_retries("pcmk_reboot_retries", "Attempts at reboot"),
    action_word("pcmk_off_action", "off", "Command sent for off"),
    action_timeout("pcmk_off_timeout", "Time allowed for off"),
    action_retries("pcmk_off_retries", "Attempts at off"),
    action_word("pcmk_on_action", "on", "Command sent for on"),
    action_timeout("pcmk_on_timeout", "Time allowed for on"),
    action_retries("pcmk_on_retries", "Attempts at on"),
    action_word("pcmk_list_action", "list", "Command sent for list"),
    action_timeout("pcmk_list_timeout", "Time allowed for list"),
    action_retries("pcmk_list_retries", "Attempts at list"),
    action_word("pcmk_monitor_action", "monitor", "Command sent for monitor"),
    action_timeout("pcmk_monitor_timeout", "Time allowed for monitor"),
    action_retries("pcmk_monitor_retries", "Attempts at monitor"),
    action_word("pcmk_status_action", "status", "Command sent for status"),
    action_timeout("pcmk_status_timeout", "Time allowed for status"),
    action_retries("pcmk_status_retries", "Attempts at status"),
];

const fn action_word(name: &'static str, default: &'static str, description: &'static str) -> OptionInfo {
    option(name, Text, default, description).details("For devices that know another word.").advanced()
}

const fn action_timeout(name: &'static str, description: &'static str) -> OptionInfo {
    option(name, Timeout, "60s", description).details("Instead of fencing-timeout.").advanced()
}

const fn action_retries(name: &'static str, description: &'static str) -> OptionInfo {
    option(name, NonNegative, "2", description)
        .details("Further attempts are made only while time is left.")
        .advanced()
}

/// The entry of `table` with this name or alias.
pub fn find(table: &'static [OptionInfo], name: &str) -> Option<&'static OptionInfo> {
    table
        .iter()
        .find(|info| info.name == name)
        .or_else(|| table.iter().find(|info| info.legacy.contains(&name)))
}

/// The name in `table` (an older one too) that is most like `name`, if it is like enough to be a slip of the finger.
pub fn did_you_mean(table: &'static [OptionInfo], name: &str) -> Option<&'static str> {
    let names = table.iter().flat_map(|info| std::iter::once(info.name).chain(info.legacy.iter().copied()));
    closest(names, name)
}

/// The candidate that is most like `name`, if it is like enough to be a slip of the finger.
pub fn closest<'c>(candidates: impl IntoIterator<Item = &'c str>, name: &str) -> Option<&'c str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let wanted = plain(name);
    let allowed = (wanted.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}
