//! The order in which devices are used, by rule.

use std::collections::BTreeMap;

use super::*;
use crate::fencing::FenceState;
use crate::replica::Replica;

const BOTH: &str = "<cib validate-with='pacemaker-4.0'><configuration><crm_config/><nodes/><resources>\
    <primitive id='a' class='stonith' type='fence_a'/><primitive id='b' class='stonith' type='fence_b'/>\
    </resources><constraints/>LEVELS</configuration><status/></cib>";

const MEMBERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

fn devices(levels: &str) -> Devices {
    let (replica, problems) = Replica::load(Some(&BOTH.replace("LEVELS", levels)));
    assert!(problems.is_empty(), "{problems:?}");
    replica.devices(cib::iso8601::DateTime::EPOCH)
}

fn levels(levels: &[(u8, &str)]) -> String {
    let one = |(index, devices): &(u8, &str)| {
        format!("<fencing-level id='l{index}' target='node3' index='{index}' devices='{devices}'/>")
    };
    format!("<fencing-topology>{}</fencing-topology>", levels.iter().map(one).collect::<String>())
}

fn offer(device: &str) -> Offer {
    let verified = device.ends_with('!');
    let automatic = device.contains('@');
    let device = device.trim_end_matches(['!', '@']).to_owned();
    Offer {
        verified,
        automatic,
        offers_on: true,
        on_target: Vec::new(),
        limits: BTreeMap::new(),
        stays_off: device == "stays-off",
        device,
    }
}

/// A scenario: who offers what (`!` verified, `@` automatic), and which uses fail (`device` or
/// `device@node`; `~` in front: by timeout).
struct Scenario<'a> {
    devices: Devices,
    action: &'a str,
    offers: Vec<(u32, Vec<Offer>)>,
    fails: Vec<&'a str>,
    watchdog: Option<u64>,
}

impl<'a> Scenario<'a> {
    fn new(levels: &str, action: &'a str, offers: &[(u32, &str)]) -> Scenario<'a> {
        let offers = offers
            .iter()
            .map(|(node, devices)| (*node, devices.split_whitespace().map(offer).collect()))
            .collect();
        Scenario { devices: devices(levels), action, offers, fails: Vec::new(), watchdog: None }
    }

    fn failing(mut self, fails: &[&'a str]) -> Scenario<'a> {
        self.fails = fails.to_vec();
        self
    }

    fn operation(&self) -> Operation {
        let record = FenceRecord {
            id: "x".to_owned(),
            target: "node3".to_owned(),
            action: self.action.to_owned(),
            client: String::new(),
            origin: "node1".to_owned(),
            owner: String::new(),
            executor: None,
            devices: Vec::new(),
            state: FenceState::Querying,
            at: 0,
            reason: String::new(),
            status: 0,
            merged_into: None,
            target_incarnation: None,
            survived: false,
        };
        let request = FenceRequest {
            target: "node3".to_owned(),
            action: self.action.to_owned(),
            timeout: 60_000,
            delay: Some(5000),
            tolerance: 0,
            client: String::new(),
        };
        let mut operation = Operation::new(record, request, Some(NodeId(3)), &self.context(0));
        for node in MEMBERS {
            let offers = self.offers.iter().find(|(id, _)| NodeId(*id) == node);
            operation.offer(node, offers.map(|(_, offers)| offers.clone()).unwrap_or_default(), true);
        }
        operation
    }

    fn context(&self, now: u64) -> Context<'_> {
        Context { devices: &self.devices, members: &MEMBERS, watchdog: self.watchdog, now }
    }

    /// The uses in their order, and how it ended.
    fn walk(&self) -> (Vec<String>, String) {
        let mut operation = self.operation();
        let mut uses = Vec::new();
        loop {
            match operation.next(&self.context(0)) {
                Next::Wait => panic!("waits after {uses:?}"),
                Next::Order(order) => {
                    let node = order.executor;
                    let delay = order.delay.unwrap_or_default() / 1000;
                    uses.push(format!("{} {} node{node} +{delay}", order.device, order.action));
                    let place = format!("{}@{node}", order.device);
                    let find = |prefix: &str| {
                        let is = |known: &&&str| {
                            known
                                .strip_prefix(prefix)
                                .is_some_and(|known| known == order.device || known == place)
                        };
                        self.fails.iter().find(is).is_some()
                    };
                    let status = match (find("~"), find("")) {
                        (true, _) => ExecutionStatus::TimedOut,
                        (_, true) => ExecutionStatus::Error,
                        _ => ExecutionStatus::Done,
                    };
                    let success = status == ExecutionStatus::Done;
                    match operation.result(order.attempt, success, status, "broken") {
                        Some(Verdict::GoOn) => {}
                        Some(Verdict::Done) => return (uses, "done".to_owned()),
                        Some(Verdict::Over) => return (uses, "over".to_owned()),
                        None => panic!("a result that was not awaited"),
                    }
                }
                Next::Watchdog(_) => {
                    uses.push("watchdog".to_owned());
                    match operation.expire(&self.context(u64::MAX)) {
                        Some(Verdict::Done) => return (uses, "done".to_owned()),
                        Some(Verdict::GoOn) => {}
                        other => panic!("{other:?}"),
                    }
                }
                Next::Succeeded => return (uses, "done".to_owned()),
                Next::Failed(status, reason) => return (uses, format!("{} {reason}", status.number())),
            }
        }
    }
}

#[test]
fn rule_4_51_4_a_verified_device_goes_first_and_each_node_tries_all_it_has() {
    let scenario = Scenario::new("", "reboot", &[(1, "a b"), (2, "b!"), (3, "a b")]);
    assert_eq!(scenario.walk(), (vec!["b reboot node2 +5".to_owned()], "done".to_owned()));
    let scenario = scenario.failing(&["b"]);
    // rule 4.54.2: the requested delay holds for the first device only
    assert_eq!(scenario.walk().0, ["b reboot node2 +5", "a reboot node1 +0"]);
    let scenario = scenario.failing(&["a", "b"]);
    let (uses, end) = scenario.walk();
    let all = [
        "b reboot node2 +5",
        "a reboot node1 +0",
        "b reboot node1 +0",
        "a reboot node3 +0",
        "b reboot node3 +0",
    ];
    assert_eq!(uses, all);
    assert_eq!(end, "4 broken");
}

#[test]
fn rule_4_51_4_a_timeout_of_the_last_device_of_a_node_ends_it() {
    let scenario = Scenario::new("", "off", &[(1, "a b"), (2, "a")]).failing(&["~a"]);
    // the hanging device does not keep the other one of the same node from being used
    assert_eq!(scenario.walk(), (vec!["a off node1 +5".into(), "b off node1 +0".into()], "done".into()));
    let scenario = scenario.failing(&["~a", "~b"]);
    assert_eq!(scenario.walk().1, "over");
}

#[test]
fn rule_4_51_4_what_a_node_offers_later_is_tried_before_a_timeout_ends_it() {
    let scenario = Scenario::new("", "off", &[]);
    let mut operation = scenario.operation();
    operation.offers = Offers::about(Some(NodeId(3)));
    operation.offer(NodeId(1), vec![offer("a!")], false);
    let Next::Order(order) = operation.next(&scenario.context(0)) else { panic!("no order") };
    operation.offer(NodeId(1), vec![offer("b")], true);
    let verdict = operation.result(order.attempt, false, ExecutionStatus::TimedOut, "");
    assert_eq!(verdict, Some(Verdict::GoOn));
    assert!(matches!(operation.next(&scenario.context(0)), Next::Order(order) if order.device == "b"));
}

#[test]
fn rule_4_51_4_without_devices_it_fails_with_status_10() {
    let scenario = Scenario::new("", "off", &[]);
    assert_eq!(scenario.walk(), (Vec::new(), "10 no device can fence it".to_owned()));
}

#[test]
fn rule_4_51_4_the_first_verified_device_of_another_node_is_enough_to_begin() {
    let scenario = Scenario::new("", "off", &[]);
    let mut operation = scenario.operation();
    operation.offers = Offers::about(Some(NodeId(3)));
    assert_eq!(operation.next(&scenario.context(0)), Next::Wait);
    operation.offer(NodeId(3), vec![offer("a!")], true);
    operation.offer(NodeId(1), vec![offer("a")], false);
    assert_eq!(operation.next(&scenario.context(0)), Next::Wait);
    operation.offer(NodeId(2), vec![offer("b!")], false);
    assert!(matches!(operation.next(&scenario.context(0)), Next::Order(order) if order.device == "b"));
}

#[test]
fn rule_4_51_4_silent_members_are_waited_for_no_longer_than_the_timeout() {
    let scenario = Scenario::new("", "off", &[]);
    let mut operation = scenario.operation();
    operation.offers = Offers::about(Some(NodeId(3)));
    operation.offer(NodeId(1), vec![offer("a")], true);
    assert_eq!(operation.next(&scenario.context(71_999)), Next::Wait);
    assert!(matches!(operation.next(&scenario.context(72_000)), Next::Order(_)));
}

#[test]
fn a_target_that_does_not_answer_is_not_waited_for() {
    let scenario = Scenario::new("", "off", &[]);
    let mut operation = scenario.operation();
    operation.offers = Offers::about(Some(NodeId(3)));
    operation.offer(NodeId(1), vec![offer("a")], true);
    operation.offer(NodeId(2), Vec::new(), true);
    assert!(matches!(operation.next(&scenario.context(0)), Next::Order(_)));
}

#[test]
fn rule_4_51_6_the_target_acts_on_itself_only_if_nobody_else_can_and_never_to_switch_on() {
    let scenario = Scenario::new("", "reboot", &[(3, "a!")]);
    assert_eq!(scenario.walk().0, ["a reboot node3 +5"]);
    let scenario = Scenario::new("", "on", &[(3, "a!")]);
    assert_eq!(scenario.walk().0, Vec::<String>::new());
}

#[test]
fn rule_4_52_3_all_devices_of_a_level_and_levels_in_ascending_order() {
    let two = levels(&[(2, "b"), (1, "a,b")]);
    let scenario = Scenario::new(&two, "off", &[(1, "a"), (2, "b")]);
    assert_eq!(scenario.walk().0, ["a off node1 +5", "b off node2 +0"]);
    let scenario = scenario.failing(&["a"]);
    assert_eq!(scenario.walk(), (vec!["a off node1 +5".into(), "b off node2 +0".into()], "done".into()));
    let scenario = scenario.failing(&["a", "b"]);
    assert_eq!(scenario.walk().1, "4 broken");
}

#[test]
fn rule_4_52_3_a_device_that_takes_too_long_gives_up_its_level_at_once() {
    let two = levels(&[(1, "a,c"), (2, "b")]);
    let scenario = Scenario::new(&two, "off", &[(1, "a b c"), (2, "a b c")]);
    let uses = ["a off node1 +5", "b off node1 +0"].map(str::to_owned).to_vec();
    assert_eq!(scenario.failing(&["~a"]).walk(), (uses, "done".to_owned()));
    // where it only fails, another node may do it
    let uses = ["a off node1 +5", "a off node2 +0", "c off node1 +0"].map(str::to_owned).to_vec();
    let scenario = Scenario::new(&two, "off", &[(1, "a b c"), (2, "a b c")]);
    assert_eq!(scenario.failing(&["a@1"]).walk(), (uses, "done".to_owned()));
    let scenario = Scenario::new(&levels(&[(1, "a")]), "off", &[(1, "a"), (2, "a")]);
    assert_eq!(scenario.failing(&["~a"]).walk(), (vec!["a off node1 +5".to_owned()], "2 broken".to_owned()));
}

#[test]
fn rule_4_51_8_it_has_succeeded_only_when_everything_that_a_level_needs_was_done() {
    let scenario = Scenario::new(&levels(&[(1, "a,b")]), "off", &[(1, "a b"), (2, "a b")]).failing(&["b"]);
    let uses = ["a off node1 +5", "b off node1 +0", "b off node2 +0"].map(str::to_owned);
    assert_eq!(scenario.walk(), (uses.to_vec(), "4 broken".to_owned()));
}

#[test]
fn rule_4_52_4_each_device_by_whoever_verified_it_then_by_others_a_missing_one_fails_its_level() {
    let two = levels(&[(1, "a,nobody-has-it"), (2, "b")]);
    let scenario = Scenario::new(&two, "off", &[(1, "b"), (2, "b!"), (3, "b")]).failing(&["b@2"]);
    assert_eq!(scenario.walk().0, ["b off node2 +5", "b off node1 +0"]);
    let scenario = Scenario::new(&levels(&[(1, "nobody-has-it")]), "off", &[(1, "a")]);
    assert!(
        scenario
            .walk()
            .1
            .starts_with("10 no node can use all devices of a level: nobody offers nobody-has-it")
    );
}

#[test]
fn rule_4_52_5_a_reboot_of_two_devices_is_off_and_on_and_only_off_counts() {
    let one = levels(&[(1, "a,b")]);
    let scenario = Scenario::new(&one, "reboot", &[(1, "a b"), (2, "b!")]);
    let all = ["a off node1 +5", "b off node2 +0", "a on node1 +0", "b on node2 +0"];
    assert_eq!(scenario.walk(), (all.map(str::to_owned).to_vec(), "done".to_owned()));
    let mut operation = scenario.operation();
    for _ in 0..2 {
        let Next::Order(order) = operation.next(&scenario.context(0)) else { panic!("no order") };
        assert!(!operation.only_optional_left());
        operation.result(order.attempt, true, ExecutionStatus::Done, "");
    }
    assert!(operation.only_optional_left());
    let Next::Order(order) = operation.next(&scenario.context(0)) else { panic!("no order") };
    assert_eq!(order.action, "on");
    operation.result(order.attempt, false, ExecutionStatus::Error, "");
    let Next::Order(order) = operation.next(&scenario.context(0)) else { panic!("no order") };
    operation.result(order.attempt, false, ExecutionStatus::TimedOut, "");
    let Next::Order(order) = operation.next(&scenario.context(0)) else { panic!("no order") };
    operation.result(order.attempt, false, ExecutionStatus::TimedOut, "");
    assert_eq!(operation.next(&scenario.context(0)), Next::Succeeded);
}

#[test]
fn rule_4_52_5_devices_whose_reboot_is_off_are_not_switched_on() {
    let one = levels(&[(1, "a,stays-off")]);
    let scenario = Scenario::new(&one, "reboot", &[(1, "a stays-off")]);
    assert_eq!(scenario.walk().0, ["a off node1 +5", "stays-off off node1 +0", "a on node1 +0"]);
}

#[test]
fn rule_4_52_6_a_level_of_one_device_is_a_plain_reboot() {
    let scenario = Scenario::new(&levels(&[(1, "a")]), "reboot", &[(1, "a")]);
    assert_eq!(scenario.walk().0, ["a reboot node1 +5"]);
}

#[test]
fn rule_4_53_2_an_executor_that_says_nothing_is_given_up() {
    let scenario = Scenario::new("", "off", &[(1, "a"), (2, "a")]);
    let mut operation = scenario.operation();
    assert!(matches!(operation.next(&scenario.context(0)), Next::Order(_)));
    // 1.2 × 60 s + 1.2 × 5 s of requested delay
    assert_eq!(operation.next_deadline(), 77_000);
    assert_eq!(operation.expire(&scenario.context(77_999)), None);
    assert_eq!(operation.expire(&scenario.context(78_000)), Some(Verdict::GoOn));
    assert!(matches!(operation.next(&scenario.context(78_000)), Next::Order(_)));
}

#[test]
fn rule_4_56_2_all_automatic_devices_are_switched_on_after_those_of_the_level() {
    let scenario = Scenario::new("", "on", &[(1, "a@ b@"), (2, "c")]);
    assert_eq!(scenario.walk().0, ["a on node1 +5", "b on node1 +0"]);
    let scenario = Scenario::new(&levels(&[(1, "b")]), "on", &[(1, "a@"), (2, "b")]);
    assert_eq!(scenario.walk().0, ["b on node2 +5", "a on node1 +0"]);
    // an administrator's request where nothing unfences by itself
    let scenario = Scenario::new("", "on", &[(1, "a"), (2, "b")]).failing(&["a"]);
    assert_eq!(scenario.walk(), (vec!["a on node1 +5".into(), "b on node2 +0".into()], "done".into()));
}

#[test]
fn rule_4_56_2_a_device_for_the_target_only_is_used_by_the_target() {
    let mut scenario = Scenario::new("", "on", &[(1, "a@"), (3, "a@")]);
    scenario.offers[1].1[0].on_target = vec!["on".to_owned()];
    assert_eq!(scenario.walk().0, ["a on node3 +5"]);
}

#[test]
fn rule_4_59_5_the_watchdog_is_waited_for_if_nobody_has_a_device_or_the_topology_says_so() {
    let mut scenario = Scenario::new("", "reboot", &[]);
    scenario.watchdog = Some(10_000);
    assert_eq!(scenario.walk(), (vec!["watchdog".to_owned()], "done".to_owned()));
    let mut operation = scenario.operation();
    assert!(matches!(operation.next(&scenario.context(500)), Next::Watchdog(_)));
    // rule 4.59.6: from the decision on, and never shorter
    assert_eq!(operation.expire(&scenario.context(10_499)), None);
    assert_eq!(operation.expire(&scenario.context(10_500)), Some(Verdict::Done));
    assert_eq!(operation.record.devices, ["watchdog"]);

    let mut scenario =
        Scenario::new(&levels(&[(1, "a"), (2, "watchdog")]), "off", &[(1, "a")]).failing(&["a"]);
    scenario.watchdog = Some(10_000);
    assert_eq!(scenario.walk(), (vec!["a off node1 +5".into(), "watchdog".into()], "done".into()));
    scenario.watchdog = None;
    assert_eq!(scenario.walk().1, "4 watchdog fencing does not apply to it");
}
