use super::*;
use crate::iso8601::Clock;
use crate::nvpair::Values;
use crate::reader::Reader;
use crate::{Notice, nvpair};

fn read(rule: &str) -> (Rule, Vec<Notice>) {
    let document = xml::Document::parse(rule).expect("well-formed");
    let mut reader = Reader::new(document.root_element());
    let rule = reader.rule(document.root_element());
    (rule, reader.notices)
}

fn moment(text: &str) -> DateTime {
    DateTime::parse_absolute(text).expect("a date").expect("an absolute date")
}

fn attributes(pairs: &[(&str, &str)]) -> Values {
    let mut values = Values::new();
    for (name, value) in pairs {
        values.set(*name, *value, nvpair::Source::default());
    }
    values
}

/// Result of one condition on a node with these attributes.
#[track_caller]
fn holds(condition: &str, pairs: &[(&str, &str)]) -> bool {
    let (rule, _) = read(&format!("<rule id=\"r\">{condition}</rule>"));
    let table = attributes(pairs);
    let input = RuleInput { node_attributes: Some(&table), ..RuleInput::at(moment("2024-06-01")) };
    rule.evaluate(&input).passes
}

fn expression(operation: &str, value: &str, more: &str) -> String {
    format!("<expression id=\"e\" attribute=\"a\" operation=\"{operation}\" value=\"{value}\" {more}/>")
}

#[test]
fn comparisons_choose_a_type_by_what_they_see() {
    for (operation, value, more, actual, expected) in [
        ("eq", "ABC", "", "abc", true),
        ("ne", "1.0", "", "1", true),
        ("gt", "9", "", "10", true),
        ("gt", "9", "type=\"string\"", "10", false),
        ("gt", "9.5", "", "10", true),
        ("lt", "2.5", "type=\"integer\"", "2.4", false),
        ("lte", "2.5", "type=\"integer\"", "2.4", true),
        ("gt", "1.9", "type=\"version\"", "1.10", true),
        ("eq", "1.0", "type=\"number\"", "1e0", true),
        ("gte", "abc", "", "abd", true),
        ("eq", "10", "type=\"integer\"", "10abc", true),
        ("eq", "1e999", "type=\"number\"", "1e999", true),
    ] {
        let condition = expression(operation, value, more);
        assert_eq!(holds(&condition, &[("a", actual)]), expected, "{actual} {operation} {value} {more}");
    }
}

#[test]
fn undefined_attributes_differ_from_everything() {
    assert!(!holds(&expression("eq", "x", ""), &[]));
    assert!(holds(&expression("ne", "x", ""), &[]));
    assert!(!holds(&expression("lt", "x", ""), &[]));
    assert!(holds("<expression id=\"e\" attribute=\"a\" operation=\"not_defined\"/>", &[]));
    assert!(holds("<expression id=\"e\" attribute=\"a\" operation=\"defined\"/>", &[("a", "")]));
    assert!(holds(&expression("eq", "x", "value-source=\"param\""), &[]), "both sides undefined");
}

#[test]
fn values_may_come_from_the_resource() {
    let (rule, _) =
        read(&format!("<rule id=\"r\">{}</rule>", expression("eq", "size", "value-source=\"meta\"")));
    let (node, meta) = (attributes(&[("a", "big")]), attributes(&[("size", "big")]));
    let input =
        RuleInput { node_attributes: Some(&node), meta: Some(&meta), ..RuleInput::at(moment("epoch")) };
    assert!(rule.evaluate(&input).passes);
}

#[test]
fn submatches_replace_percent_digits_only() {
    let submatches: Vec<String> = ["db-1", "db", ""].map(str::to_owned).to_vec();
    assert_eq!(expand_submatches("x-%1-%2-%9-%%0-%z%", &submatches), "x-db---%db-1-%z%");
    let (rule, _) =
        read("<rule id=\"r\"><expression id=\"e\" attribute=\"%1-ok\" operation=\"defined\"/></rule>");
    let node = attributes(&[("db-ok", "1")]);
    let input = RuleInput {
        node_attributes: Some(&node),
        submatches: Some(&submatches),
        ..RuleInput::at(moment("epoch"))
    };
    assert!(rule.evaluate(&input).passes);
}

#[track_caller]
fn date(condition: &str, now: &str) -> (bool, Option<String>) {
    let (rule, _) = read(&format!("<rule id=\"r\">{condition}</rule>"));
    let verdict = rule.evaluate(&RuleInput::at(moment(now)));
    (verdict.passes, verdict.next_change.map(|time| DateTime::from_timestamp(time, 0).to_string()))
}

#[test]
fn ranges_include_both_ends_and_say_when_they_change() {
    let range = "<date_expression id=\"d\" start=\"2024-01-01\" end=\"2024-12-31\"/>";
    assert_eq!(date(range, "2023-12-31"), (false, Some("2024-01-01 00:00:00Z".into())));
    assert_eq!(date(range, "2024-01-01"), (true, Some("2024-12-31 00:00:01Z".into())));
    assert_eq!(date(range, "2024-12-31"), (true, Some("2024-12-31 00:00:01Z".into())));
    assert_eq!(date(range, "2024-12-31 00:00:01Z"), (false, None));
    let open = "<date_expression id=\"d\" operation=\"in_range\" start=\"2024-01-01\"/>";
    assert_eq!(date(open, "2025-01-01"), (true, None));
    let lasting =
        "<date_expression id=\"d\" start=\"2023-03-01\"><duration id=\"x\" years=\"1\"/></date_expression>";
    assert_eq!(date(lasting, "2024-02-29"), (true, Some("2024-02-29 00:00:01Z".into())));
}

#[test]
fn before_and_after() {
    let after = "<date_expression id=\"d\" operation=\"gt\" start=\"2024-01-01\"/>";
    assert_eq!(date(after, "2024-01-01"), (false, Some("2024-01-01 00:00:01Z".into())));
    assert_eq!(date(after, "2024-01-01 00:00:01Z"), (true, None));
    let before = "<date_expression id=\"d\" operation=\"lt\" end=\"2024-01-01\"/>";
    assert_eq!(date(before, "2023-12-31"), (true, Some("2024-01-01 00:00:00Z".into())));
    assert_eq!(date(before, "2024-01-01"), (false, None));
}

#[test]
fn date_specs_look_at_the_calendar_of_the_zone() {
    let spec = |ranges: &str| {
        format!(
            "<date_expression id=\"d\" operation=\"date_spec\"><date_spec id=\"s\" {ranges}/></date_expression>"
        )
    };
    // A Thursday, day 60, ISO week 9.
    for (ranges, expected) in [
        ("hours=\"9-16\" weekdays=\"1-5\"", true),
        ("hours=\"-9\"", false),
        ("yeardays=\"60\" weeks=\"9\" weekyears=\"2024\"", true),
        ("months=\"3-\"", false),
        ("monthdays=\"29\" minutes=\"30\" seconds=\"0\" years=\"2024-2025\"", true),
        ("", true),
        ("hours=\"a\"", false),
        ("hours=\"-\"", false),
    ] {
        assert_eq!(date(&spec(ranges), "2024-02-29 10:30:00 +02:00").0, expected, "{ranges}");
    }
}

#[test]
fn resources_and_operations() {
    let (rule, notices) = read(
        "<rule id=\"r\"><rsc_expression id=\"a\" class=\"ocf\" type=\"IPaddr2\"/>\
         <op_expression id=\"b\" name=\"monitor\" interval=\"10s\"/></rule>",
    );
    assert!(notices.is_empty());
    let resource =
        ResourceIdentity { class: Some("ocf"), provider: Some("heartbeat"), agent_type: Some("IPaddr2") };
    let operation = |name, interval| RuleInput {
        resource: Some(resource),
        operation: Some(OperationIdentity { name, interval }),
        ..RuleInput::at(moment("epoch"))
    };
    assert!(rule.evaluate(&operation("monitor", 10_000)).passes);
    assert!(!rule.evaluate(&operation("monitor", 20_000)).passes);
    assert!(!rule.evaluate(&operation("start", 10_000)).passes);
    assert!(!rule.evaluate(&RuleInput::at(moment("epoch"))).passes);
}

#[test]
fn only_the_deciding_conditions_offer_a_next_change() {
    let later = "<date_expression id=\"x\" operation=\"gt\" start=\"2030-01-01\"/>";
    let no = "<expression id=\"n\" attribute=\"a\" operation=\"defined\"/>";
    assert_eq!(date(&format!("{no}{later}"), "2024-01-01"), (false, None));
    assert_eq!(date(&format!("{later}{no}"), "2024-01-01"), (false, Some("2030-01-01 00:00:01Z".into())));
    let either = format!("<rule id=\"o\" boolean-op=\"OR\">{no}{later}</rule>");
    assert_eq!(date(&either, "2031-01-01"), (true, None));
}

#[test]
fn broken_parts_are_reported_and_never_pass() {
    for (text, reason) in [
        ("<rule><expression id=\"e\" attribute=\"a\" operation=\"defined\"/></rule>", "it has no id"),
        (
            "<rule id=\"r\" boolean-op=\"xor\"><expression id=\"e\" attribute=\"a\" operation=\"defined\"/></rule>",
            "boolean-op",
        ),
        (
            "<rule id=\"r\"><expression id=\"e\" attribute=\"a\" operation=\"is\" value=\"x\"/></rule>",
            "'is' is not a valid operation",
        ),
        (
            "<rule id=\"r\"><expression id=\"e\" attribute=\"a\" operation=\"defined\" value=\"x\"/></rule>",
            "not allowed",
        ),
        ("<rule id=\"r\"><date_expression id=\"e\"/></rule>", "in_range needs"),
        ("<rule id=\"r\"><date_expression id=\"e\" start=\"soon\"/></rule>", "not a valid date"),
        ("<rule id=\"r\"><moon id=\"e\"/></rule>", "not a known condition"),
    ] {
        let (rule, notices) = read(text);
        assert!(notices.iter().any(|notice| notice.text.contains(reason)), "{text}: {notices:?}");
        let node = attributes(&[("a", "x")]);
        let input = RuleInput { node_attributes: Some(&node), ..RuleInput::at(moment("2024-01-01")) };
        assert!(!rule.evaluate(&input).passes, "{text}");
    }
    assert!(
        read("<rule id=\"r\"/>").0.evaluate(&RuleInput::at(moment("epoch"))).passes,
        "no condition passes"
    );
}

#[test]
fn where_a_rule_stands() {
    let status = |condition: &str, now: &str| {
        let (rule, _) = read(&format!("<rule id=\"r\">{condition}</rule>"));
        rule.status(&moment(now).into())
    };
    let range = "<date_expression id=\"d\" start=\"2024-01-01\" end=\"2024-12-31\"/>";
    assert_eq!(status(range, "2023-01-01"), RuleStatus::NotYet);
    assert_eq!(status(range, "2024-06-01"), RuleStatus::InEffect);
    assert_eq!(status(range, "2025-06-01"), RuleStatus::Expired);
    let before = "<date_expression id=\"d\" operation=\"lt\" end=\"2024-12-31\"/>";
    assert_eq!(status(before, "2025-01-01"), RuleStatus::Expired);
    let spec = |ranges: &str| {
        format!(
            "<date_expression id=\"d\" operation=\"date_spec\"><date_spec id=\"s\" {ranges}/></date_expression>"
        )
    };
    assert_eq!(status(&spec("years=\"2024\""), "2024-06-01"), RuleStatus::Satisfied);
    assert_eq!(status(&spec("years=\"2024\""), "2025-06-01"), RuleStatus::Unsatisfied);
    assert_eq!(status(&spec("hours=\"1\""), "2025-06-01").exit_status(), 3);
    assert_eq!(status(&format!("{range}{before}"), "2025-06-01").exit_status(), 3);
    assert_eq!(status("", "2025-06-01").exit_status(), 3);
    assert_eq!(RuleStatus::Expired.message("r"), "Rule r is expired");
}

/// Rules 1.3.6.2 and 1.6.5: texts without a zone are meant in the present local one, `date_spec` looks at the
/// effective time in its own.
#[test]
fn the_local_zone_completes_dates_and_the_effective_time_has_its_own() {
    let present = DateTime::from_timestamp(moment("2026-11-28 01:00:00Z").timestamp(), 9 * 3600);
    let passes = |condition: &str, clock: Clock| {
        let (rule, _) = read(&format!("<rule id=\"r\">{condition}</rule>"));
        rule.evaluate(&RuleInput::at(clock)).passes
    };
    let after = |start: &str| format!("<date_expression id=\"d\" operation=\"gt\" start=\"{start}\"/>");
    let hour = |hour: u8| {
        format!(
            "<date_expression id=\"d\" operation=\"date_spec\"><date_spec id=\"s\" hours=\"{hour}\"/></date_expression>"
        )
    };
    let live = Clock::from(present);
    assert!(passes(&after("2026-11-28 09:59:59"), live));
    assert!(!passes(&after("2026-11-28 10:00:00"), live));
    assert!(passes(&after("09:59:59"), live));
    assert!(passes(&after("2026-11-28"), live), "a date alone is midnight UTC");
    assert!(passes(&hour(10), live));
    let repeated = Clock { now: moment("2026-11-28 00:30:00Z"), ..live };
    assert!(passes(&hour(0), repeated));
    assert!(passes(&after("2026-11-28 09:29:59"), repeated));
    assert!(!passes(&after("2026-11-28 09:30:00"), repeated));
}
