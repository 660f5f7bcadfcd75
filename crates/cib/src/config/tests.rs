use super::*;
use crate::iso8601::DateTime;
use crate::nvpair::{self, Values};
use crate::rule::RuleInput;
use crate::{Cib, Notice};

fn read(configuration: &str) -> (Cib, Vec<Notice>) {
    let text =
        format!("<cib validate-with=\"pacemaker-4.0\"><configuration>{configuration}</configuration></cib>");
    Cib::from_document(&xml::Document::parse(&text).expect("well-formed"))
}

fn now() -> RuleInput<'static> {
    RuleInput::at(DateTime::from_timestamp(1_700_000_000, 0))
}

fn values(blocks: &[Block], first: Option<&str>) -> Vec<String> {
    let mut values = Values::new();
    nvpair::unpack(blocks, &now(), first, &mut values);
    values
        .iter()
        .map(|(name, value)| {
            format!("{name}={} ({})", value.text, value.source.pair.as_deref().unwrap_or("-"))
        })
        .collect()
}

#[test]
fn blocks_apply_by_score_then_later_first_and_pairs_in_order() {
    let (cib, notices) = read(
        "<resources><primitive id=\"p\" class=\"lsb\" type=\"x\">\
         <meta_attributes id=\"a\"><nvpair id=\"a1\" name=\"n\" value=\"first\"/><nvpair id=\"a2\" name=\"low\" value=\"a\"/></meta_attributes>\
         <meta_attributes id=\"b\"><nvpair id=\"b1\" name=\"n\" value=\"later\"/><nvpair id=\"b2\" name=\"n\" value=\"second of later\"/></meta_attributes>\
         <meta_attributes id=\"c\" score=\"10\"><nvpair id=\"c1\" name=\"top\" value=\"c\"/></meta_attributes>\
         <meta_attributes id=\"d\"><nvpair id=\"d1\" name=\"top\" value=\"d\"/></meta_attributes>\
         </primitive></resources>",
    );
    assert!(notices.is_empty(), "{notices:?}");
    let blocks = &cib.configuration.resources[0].meta;
    assert_eq!(values(blocks, None), ["low=a (a2)", "n=later (b1)", "top=c (c1)"]);
    assert_eq!(values(blocks, Some("a")), ["low=a (a2)", "n=first (a1)", "top=c (c1)"]);
}

#[test]
fn default_takes_a_value_back_and_rules_leave_blocks_out() {
    let (cib, _) = read(
        "<rsc_defaults><meta_attributes id=\"x\" score=\"5\"><nvpair id=\"x1\" name=\"n\" value=\"1\"/></meta_attributes>\
         <meta_attributes id=\"y\"><nvpair id=\"y1\" name=\"n\" value=\"#DEFAULT\"/><nvpair id=\"y2\" name=\"n\" value=\"2\"/></meta_attributes>\
         <meta_attributes id=\"z\" score=\"9\"><rule id=\"r\"><date_expression id=\"d\" operation=\"lt\" end=\"2000-01-01\"/></rule>\
         <nvpair id=\"z1\" name=\"n\" value=\"3\"/></meta_attributes></rsc_defaults>",
    );
    assert_eq!(values(&cib.configuration.rsc_defaults, None), ["n=2 (y2)"]);
}

#[test]
fn references_are_followed_or_reported() {
    let (cib, notices) = read(
        "<resources><primitive id=\"p\" class=\"lsb\" type=\"x\"><meta_attributes id=\"m\"><nvpair id=\"v\" name=\"n\" value=\"1\"/></meta_attributes>\
         <operations id=\"ops\"><op id=\"mon\" name=\"monitor\" interval=\"10s\"/></operations></primitive>\
         <primitive id=\"q\" class=\"lsb\" type=\"x\"><meta_attributes id-ref=\"m\"/><meta_attributes id-ref=\"gone\"/>\
         <meta_attributes id=\"k\"><nvpair id-ref=\"v\" name=\"other\"/></meta_attributes><operations id-ref=\"ops\"/></primitive></resources>",
    );
    let q = &cib.configuration.resources[1];
    assert!(q.meta[0].by_reference && q.meta[0].pairs[0].value.as_ref() == "1");
    assert_eq!(q.meta.len(), 2);
    assert_eq!(&*q.meta[1].pairs[0].name, "n", "name and value come from the referent");
    assert_eq!(q.as_primitive().and_then(|p| p.operations.as_ref()).map(Vec::len), Some(1));
    let texts: Vec<&str> = notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(
        texts,
        ["Ignoring invalid meta_attributes configuration: id-ref 'gone' does not reference a valid object"]
    );
    assert_eq!(notices[0].place.line, 1);
}

#[test]
fn a_template_gives_the_agent_and_the_operations_that_are_not_mentioned() {
    let (cib, _) = read(
        "<resources><template id=\"t\" class=\"ocf\" provider=\"x\" type=\"y\"><meta_attributes id=\"tm\"><nvpair id=\"tm1\" name=\"n\" value=\"t\"/></meta_attributes>\
         <operations><op id=\"t1\" name=\"monitor\" interval=\"10\"/><op id=\"t2\" name=\"monitor\" interval=\"20\" role=\"Promoted\"/><op id=\"t3\" name=\"start\" interval=\"0\"/></operations></template>\
         <primitive id=\"p\" template=\"t\"><meta_attributes id=\"pm\"><nvpair id=\"pm1\" name=\"n\" value=\"p\"/></meta_attributes>\
         <operations><op id=\"p1\" name=\"monitor\" interval=\"30\" role=\"Started\"/></operations></primitive>\
         <primitive id=\"q\" template=\"missing\"/><primitive id=\"t2\" template=\"t2\"/></resources>",
    );
    let configuration = &cib.configuration;
    let expanded = configuration.expand(&configuration.resources[0]).expect("the template is there");
    let primitive = expanded.as_primitive().expect("a primitive");
    assert_eq!((expanded.attributes.get("id"), expanded.attributes.get("class")), (Some("p"), Some("ocf")));
    assert_eq!(expanded.attributes.get("template"), None);
    let ids: Vec<&str> = primitive.operations.iter().flatten().filter_map(|op| op.id.as_deref()).collect();
    assert_eq!(ids, ["p1", "t2", "t3"]);
    assert_eq!(values(&expanded.meta, None), ["n=p (pm1)"]);
    assert_eq!(
        configuration.expand(&configuration.resources[1]),
        Err(TemplateError::Missing("missing".into()))
    );
    assert_eq!(configuration.expand(&configuration.resources[2]), Err(TemplateError::Itself("t2".into())));
}

#[test]
fn bundles_have_their_defaults() {
    let (cib, notices) = read(
        "<resources><bundle id=\"b\"><podman image=\"i\" promoted-max=\"2\" replicas-per-host=\"x\"/><network control-port=\"3121\" add-host=\"maybe\">\
         <port-mapping id=\"a\" port=\"80\"/><port-mapping id=\"c\" range=\"1-9\"/><port-mapping id=\"bad\"/></network>\
         <storage><storage-mapping id=\"s\" source-dir-root=\"/srv\" target-dir=\"/data\"/><storage-mapping id=\"w\" source-dir=\"/x\"/></storage>\
         <primitive id=\"p\" class=\"ocf\" provider=\"x\" type=\"y\"/></bundle></resources>",
    );
    let ResourceKind::Bundle(bundle) = &cib.configuration.resources[0].kind else { panic!("a bundle") };
    let container = bundle.container.as_ref().expect("a container");
    assert_eq!((container.engine, container.promoted_max), (ContainerEngine::Podman, 2));
    assert_eq!((container.replicas, container.replicas_per_host), (2, 1));
    assert!(bundle.network.add_host);
    let ports: Vec<(&str, &str)> =
        bundle.network.ports.iter().map(|p| (&*p.port, &*p.internal_port)).collect();
    assert_eq!(ports, [("80", "80"), ("1-9", "1-9")]);
    assert!(bundle.storage[0].source_is_root);
    let texts: Vec<&str> = notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(texts, ["Invalid port directive bad", "Invalid mount directive w"]);
}

#[test]
fn options_have_aliases_checks_and_defaults() {
    let (cib, _) = read(
        "<crm_config><cluster_property_set id=\"cib-bootstrap-options\"><nvpair id=\"1\" name=\"stonith-enabled\" value=\"off\"/>\
         <nvpair id=\"2\" name=\"cluster-delay\" value=\"soon\"/><nvpair id=\"3\" name=\"no-quorum-policy\" value=\"FREEZE\"/>\
         <nvpair id=\"4\" name=\"batch-limit\" value=\"-INFINITY\"/><nvpair id=\"5\" name=\"load-threshold\" value=\"70%\"/>\
         <nvpair id=\"6\" name=\"unheard-of\" value=\"1\"/></cluster_property_set>\
         <cluster_property_set id=\"z\" score=\"100\"><nvpair id=\"7\" name=\"stonith-enabled\" value=\"true\"/></cluster_property_set></crm_config>",
    );
    let effective = cib.cluster_options(&now());
    let options = &effective.options;
    assert!(!options.fencing_enabled, "the bootstrap block wins over any score");
    assert_eq!(
        (options.cluster_delay, options.batch_limit, options.load_threshold),
        (60_000, -1_000_000, 70)
    );
    assert_eq!(options.no_quorum_policy, crate::options::NoQuorumPolicy::Freeze);
    assert_eq!(options.symmetric_cluster, crate::options::ClusterOptions::default().symmetric_cluster);
    let errors: Vec<&str> = effective
        .notices
        .iter()
        .filter(|notice| notice.severity == crate::Severity::Error)
        .map(|notice| notice.text.as_str())
        .collect();
    assert_eq!(errors, ["Using default value for cluster option 'cluster-delay' because 'soon' is invalid"]);
    assert_eq!(effective.values.get("unheard-of"), Some("1"));
}

#[test]
fn without_options_the_defaults_are_those_of_the_table() {
    let (cib, _) = read("");
    assert_eq!(cib.cluster_options(&now()).options, crate::options::ClusterOptions::default());
}

#[test]
fn unfencing_is_seen_on_the_plain_text() {
    let with = |holder: &str| read(holder).0.configuration.unfencing_in_use;
    let meta = "<meta_attributes id=\"m\"><nvpair id=\"n\" name=\"provides\" value=\"unfencing\"/></meta_attributes>";
    assert!(with(&format!(
        "<resources><group id=\"g\"><primitive id=\"p\" class=\"stonith\" type=\"x\">{meta}</primitive></group></resources>"
    )));
    assert!(with(&format!("<rsc_defaults>{meta}</rsc_defaults>")));
    assert!(!with(&format!("<op_defaults>{meta}</op_defaults>")));
}

#[test]
fn broken_pieces_do_not_take_the_rest_down() {
    let (cib, notices) = read(
        "<nodes><node uname=\"x\"/><node id=\"1\" uname=\"a\" type=\"ghost\"/><node id=\"2\" uname=\"A\" score=\"many\"/></nodes>\
         <resources><gadget id=\"w\"/><group id=\"g\"/><clone id=\"c\"/><primitive class=\"lsb\" type=\"x\"/></resources>\
         <constraints><rsc_location rsc=\"g\"/><rsc_wish id=\"i\"/></constraints>\
         <fencing-topology><fencing-level id=\"f\" target=\"a\" index=\"12\" devices=\"x\"/><fencing-level id=\"h\" target=\"a\" index=\"1\" devices=\"x, y\"/></fencing-topology>\
         <alerts><alert id=\"al\"/></alerts><acls><acl_target id=\"u\"><role id=\"none\"/></acl_target></acls>",
    );
    let texts: Vec<&str> = notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Ignoring <node> without id",
            "Ignoring node '1' because 'ghost' is not a valid node type",
            "More than one node entry has name 'A'",
            "Using 0 as node score because 'many' is not a valid score",
            "Ignoring resource 'w' of unknown type 'gadget'",
            "Group g has no members",
            "c has nothing to clone",
            "Ignoring <primitive> without id",
            "Ignoring <rsc_location> without id",
            "Unsupported constraint type: rsc_wish",
            "Ignoring fencing level f with out-of-range index 12",
            "Ignoring invalid alert al without path",
            "Ignoring <role> element none in u: no <acl_role> with matching id found",
        ]
    );
    assert_eq!(cib.configuration.fencing_levels[0].devices, ["x".into(), "y".into()] as [Text; 2]);
    assert_eq!(cib.configuration.nodes.len(), 2);
}
