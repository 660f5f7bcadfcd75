use super::*;

fn order(operation: &str, interval: u64) -> Order {
    Order {
        resource: "web".to_owned(),
        agent: AgentName { class: "lsb".to_owned(), provider: None, agent_type: "web".to_owned() },
        operation: operation.to_owned(),
        key: format!("web_{operation}_{interval}"),
        interval,
        timeout: 20_000,
        start_delay: 0,
        parameters: BTreeMap::new(),
        expected: 0,
        transition_key: "1:1:0:uuid".to_owned(),
        feature_set: "3.20.5".to_owned(),
        on_node: "node1".to_owned(),
        container: None,
        shutdown_lock: None,
        anonymous: false,
        awaited: true,
    }
}

fn at(milliseconds: u64) -> Now {
    Now { monotonic: milliseconds, epoch_ms: milliseconds as i64, offset: 0 }
}

fn runs(out: &mut Outbox) -> Vec<(OperationId, String)> {
    let run = |output: Output| match output {
        Output::Run(operation) => Some((operation.id, operation.action)),
        _ => None,
    };
    std::mem::take(out).into_iter().filter_map(run).collect()
}

fn ended(id: OperationId, code: i32) -> OperationResult {
    OperationResult::plain(id, ExecutionStatus::Done, code, "")
}

/// What was told: operation, status and exit code.
fn told(finished: &[Finished]) -> Vec<(&str, ExecutionStatus, i32)> {
    finished.iter().map(|one| (&*one.entry.operation, one.entry.status, one.entry.exit_code)).collect()
}

#[test]
fn rule_4_10_1_resources_do_not_wait_for_each_other() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    for number in 0..50 {
        let resource = format!("r{number}");
        executor.order(Order { resource, ..order("start", 0) }, at(0), &mut out);
    }
    assert_eq!(runs(&mut out).len(), 50);
}

#[test]
fn rule_4_10_2_a_delay_holds_back_what_came_later() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let delayed = Order { start_delay: 3000, ..order("monitor", 10_000) };
    executor.order(delayed, at(0), &mut out);
    executor.order(order("notify", 0), at(1000), &mut out);
    assert!(runs(&mut out).is_empty());
    assert_eq!(executor.next_deadline(), Some(3000));
    executor.deadline(at(2999), &mut out);
    assert!(runs(&mut out).is_empty());
    executor.deadline(at(3000), &mut out);
    let monitor = runs(&mut out);
    assert_eq!(monitor[0].1, "monitor");
    let first = executor.done(ended(monitor[0].0, 0), at(3100), &mut out);
    assert_eq!(first[0].entry.queued, 3000);
    let notify = runs(&mut out);
    assert_eq!(notify[0].1, "notify");
    // the next run counts from the end of the first, and waits for the notification
    executor.deadline(at(13_100), &mut out);
    assert!(runs(&mut out).is_empty());
    let end = executor.done(ended(notify[0].0, 0), at(13_500), &mut out);
    assert_eq!(end[0].entry.queued, 2100);
    assert_eq!(runs(&mut out)[0].1, "monitor");
}

#[test]
fn rule_4_10_3_another_reason_alone_is_no_news() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("monitor", 10_000), at(0), &mut out);
    let mut count = Vec::new();
    for (round, reason) in ["lag 5 s", "lag 6 s"].into_iter().enumerate() {
        let id = runs(&mut out)[0].0;
        let now = round as u64 * 10_000;
        let result = OperationResult::plain(id, ExecutionStatus::Done, 1, reason);
        count.push(executor.done(result, at(now), &mut out).len());
        executor.deadline(at(now + 10_000), &mut out);
    }
    let id = runs(&mut out)[0].0;
    let late = OperationResult::plain(id, ExecutionStatus::TimedOut, 1, "lag 6 s");
    count.push(executor.done(late, at(20_000), &mut out).len());
    assert_eq!(count, [1, 0, 1]);
}

#[test]
fn rule_4_10_4_what_recurs_already_goes_on_under_the_new_order() {
    let again = |key: &str| Order { transition_key: key.to_owned(), ..order("monitor", 10_000) };
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(again("1"), at(0), &mut out);
    let run = runs(&mut out)[0].0;
    // while the first run is under way: it is not killed, and answers the new order
    assert!(executor.order(again("2"), at(1), &mut out).is_empty() && out.is_empty(), "{out:?}");
    let finished = executor.done(ended(run, 0), at(2), &mut out);
    assert_eq!((finished.len(), &*finished[0].entry.transition_key), (1, "2"));
    // idle: runs at once, and tells a result that is no news
    executor.order(again("3"), at(5), &mut out);
    let run = runs(&mut out)[0].0;
    let finished = executor.done(ended(run, 0), at(6), &mut out);
    assert_eq!((finished.len(), &*finished[0].entry.transition_key), (1, "3"));
    // while it repeats
    executor.deadline(at(10_006), &mut out);
    let run = runs(&mut out)[0].0;
    assert!(executor.order(again("4"), at(10_007), &mut out).is_empty() && out.is_empty(), "{out:?}");
    let finished = executor.done(ended(run, 0), at(10_008), &mut out);
    assert_eq!((finished.len(), &*finished[0].entry.transition_key), (1, "4"));
    assert!(!finished[0].repeated);
    // and only one of it recurs
    assert_eq!((executor.recurring(), executor.next_deadline()), (1, Some(20_000)));
    // other parameters: what runs says nothing about them
    executor.deadline(at(20_008), &mut out);
    let run = runs(&mut out)[0].0;
    let mut other = again("5");
    other.parameters.insert("port".to_owned(), "2".to_owned());
    executor.order(other, at(20_009), &mut out);
    assert_eq!(out, [Output::Cancel(run)]);
    out.clear();
    assert!(executor.done(ended(run, 0), at(20_010), &mut out).is_empty());
    assert_eq!(runs(&mut out).len(), 1);
}

#[test]
fn rule_4_10_5_a_change_of_state_ends_what_recurs_wherever_it_is() {
    use ExecutionStatus::Cancelled;
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("start", 0), at(0), &mut out);
    executor.order(order("monitor", 10_000), at(0), &mut out);
    executor.order(Order { start_delay: 60_000, ..order("monitor", 20_000) }, at(0), &mut out);
    let start = runs(&mut out)[0].0;
    // a probe and a notification end nothing
    for operation in ["monitor", "notify"] {
        assert!(executor.order(order(operation, 0), at(1), &mut out).is_empty());
    }
    assert_eq!(executor.recurring(), 2);
    let finished = executor.order(order("stop", 0), at(1), &mut out);
    assert_eq!(told(&finished), [("monitor", Cancelled, 0), ("monitor", Cancelled, 0)]);
    let mut run = start;
    let mut order_of_runs = Vec::new();
    for _ in 0..3 {
        executor.done(ended(run, 0), at(2), &mut out);
        let next = runs(&mut out);
        order_of_runs.push(next[0].1.clone());
        run = next[0].0;
    }
    assert_eq!(order_of_runs, ["monitor", "notify", "stop"]);
    executor.done(ended(run, 0), at(3), &mut out);
    assert_eq!((executor.recurring(), executor.next_deadline()), (0, None));
}

#[test]
fn rule_4_10_6_a_cancelled_run_is_killed_and_is_no_failure() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("monitor", 10_000), at(0), &mut out);
    let run = runs(&mut out)[0].0;
    assert!(executor.cancel("web", "web_monitor_10000", &mut out).is_empty());
    assert_eq!(out, [Output::Cancel(run)]);
    let killed = OperationResult::plain(run, ExecutionStatus::Cancelled, 1, "");
    let finished = executor.done(killed, at(1), &mut out);
    assert_eq!(told(&finished), [("monitor", ExecutionStatus::Cancelled, 0)]);
    assert!(!finished[0].entry.is_failure());
    assert_eq!((executor.recurring(), executor.next_deadline()), (0, None));
    // an idle one just goes
    executor.order(order("monitor", 10_000), at(2), &mut out);
    out.retain(|output| matches!(output, Output::Run(_)));
    let run = runs(&mut out)[0].0;
    executor.done(ended(run, 0), at(3), &mut out);
    assert!(executor.cancel("web", "web_monitor_10000", &mut out).is_empty() && out.is_empty());
    assert_eq!(executor.next_deadline(), None);
}

#[test]
fn rule_4_10_6_what_waits_for_metadata_can_be_cancelled() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let agent =
        AgentName { class: "ocf".to_owned(), provider: Some("x".to_owned()), agent_type: "y".to_owned() };
    executor.order(Order { agent, ..order("monitor", 10_000) }, at(0), &mut out);
    let Output::FetchMetadata { id: metadata, .. } = out[0] else { panic!("{out:?}") };
    let run = runs(&mut out)[0].0;
    assert!(executor.done(ended(run, 0), at(1), &mut out).is_empty());
    let finished = executor.cancel("web", "web_monitor_10000", &mut out);
    assert_eq!(told(&finished), [("monitor", ExecutionStatus::Cancelled, 0)]);
    assert!(executor.metadata(metadata, None, at(2)).is_empty());
    assert_eq!((executor.recurring(), executor.next_deadline()), (0, None));
}

#[test]
fn rule_4_10_8_nobody_waits_for_a_first_run_that_lies_far_ahead() {
    let delayed = |start_delay| Order { start_delay, ..order("monitor", 10_000) };
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    assert!(executor.order(delayed(300_000), at(0), &mut out).is_empty());
    executor.cancel("web", "web_monitor_10000", &mut out);
    for _ in 0..2 {
        let finished = executor.order(delayed(300_001), at(0), &mut out);
        assert_eq!(told(&finished), [("monitor", ExecutionStatus::Pending, 193)]);
        assert!(!finished[0].entry.is_failure());
    }
    // nor does anything else
    executor.order(order("notify", 0), at(1), &mut out);
    let notify = runs(&mut out)[0].0;
    executor.done(ended(notify, 0), at(2), &mut out);
    assert_eq!(executor.next_deadline(), Some(300_001));
    executor.deadline(at(300_001), &mut out);
    let run = runs(&mut out)[0].0;
    assert_eq!(told(&executor.done(ended(run, 0), at(300_002), &mut out)).len(), 1);
}

#[test]
fn rule_4_10_11_call_numbers_grow_and_made_up_results_are_of_the_same_row() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let mut calls = Vec::new();
    for operation in ["start", "monitor"] {
        executor.order(order(operation, 0), at(0), &mut out);
        let run = runs(&mut out)[0].0;
        calls.push(executor.done(ended(run, 0), at(1), &mut out)[0].entry.call_id);
        calls.push(executor.take_call());
    }
    assert_eq!(calls, [1, 2, 3, 4]);
}

#[test]
fn rule_4_10_14_times_are_those_of_the_run() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("stop", 0), at(1000), &mut out);
    executor.order(order("start", 0), at(2000), &mut out);
    let run = runs(&mut out)[0].0;
    executor.done(ended(run, 0), at(7000), &mut out);
    let run = runs(&mut out)[0].0;
    let result = OperationResult { queued: 3, executed: 1900, ..ended(run, 0) };
    let finished = executor.done(result, at(9000), &mut out);
    let entry = &finished[0].entry;
    // it waited five seconds behind the stop, and three milliseconds for its process
    assert_eq!((entry.last_change, entry.executed, entry.queued), (7, 1900, 5003));
}

#[test]
fn rule_4_3_10_the_announced_version_decides_how_an_agent_reloads() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let agent =
        AgentName { class: "ocf".to_owned(), provider: Some("x".to_owned()), agent_type: "y".to_owned() };
    let mut asked = Vec::new();
    for (version, actions) in
        [("1.1", "reload-agent reload"), ("1.0", "reload-agent reload"), ("1.1", "reload"), ("1.0", "")]
    {
        let name = |name: &str| crate::AgentAction { name: name.to_owned(), ..Default::default() };
        let known = AgentMetadata {
            ocf_version: Some(version.to_owned()),
            actions: actions.split_whitespace().map(name).collect(),
            ..AgentMetadata::default()
        };
        executor.metadata.insert(agent.clone(), Metadata { known: Some(known), at: 0, failures: 0 });
        executor.order(Order { agent: agent.clone(), ..order("reload-agent", 0) }, at(0), &mut out);
        let (run, action) = runs(&mut out).remove(0);
        asked.push(action);
        executor.done(ended(run, 0), at(1), &mut out);
    }
    assert_eq!(asked, ["reload-agent", "reload", "reload-agent", "reload-agent"]);
}

#[test]
fn rule_4_10_1_operations_of_a_resource_run_one_after_the_other() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("stop", 0), at(0), &mut out);
    executor.order(order("start", 0), at(0), &mut out);
    let first = runs(&mut out);
    assert_eq!(first[0].1, "stop");
    assert_eq!(first.len(), 1);
    let finished = executor.done(ended(first[0].0, 0), at(5), &mut out);
    assert_eq!(finished[0].entry.operation, "stop");
    assert_eq!(runs(&mut out)[0].1, "start");
}

#[test]
fn a_recurring_monitor_tells_only_changes() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("monitor", 10_000), at(0), &mut out);
    let mut told = Vec::new();
    for (round, code) in [0, 0, 7, 7, 0].into_iter().enumerate() {
        let id = runs(&mut out)[0].0;
        let now = at(round as u64 * 10_000);
        told.push(executor.done(ended(id, code), now, &mut out).len());
        assert_eq!(executor.next_deadline(), Some(now.monotonic + 10_000));
        executor.deadline(at(now.monotonic + 10_000), &mut out);
    }
    assert_eq!(told, [1, 0, 1, 0, 1]);
}

#[test]
fn a_stop_ends_the_monitor_and_says_so_if_it_never_answered() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("monitor", 10_000), at(0), &mut out);
    let monitor = runs(&mut out)[0].0;
    executor.order(order("stop", 0), at(5), &mut out);
    assert_eq!(out, [Output::Cancel(monitor)]);
    out.clear();
    let finished = executor.done(ended(monitor, 0), at(6), &mut out);
    assert_eq!(finished[0].entry.status, ExecutionStatus::Cancelled);
    assert_eq!(runs(&mut out)[0].1, "stop");
    assert_eq!(executor.recurring(), 0);
}

#[test]
fn a_stop_gets_what_the_resource_was_started_with() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let with = |operation: &str, port: &str| {
        let mut order = order(operation, 0);
        order.parameters.insert("port".to_owned(), port.to_owned());
        order.parameters.insert("CRM_meta_timeout".to_owned(), port.to_owned());
        order
    };
    let mut given = Vec::new();
    // started with 1; changed to 2 and restarted; the start with 2 fails, and is stopped
    for (operation, port, code) in [("start", "1", 0), ("stop", "2", 0), ("start", "2", 1), ("stop", "3", 0)]
    {
        executor.order(with(operation, port), at(0), &mut out);
        let Some(Output::Run(run)) = out.pop() else { panic!("{out:?}") };
        given.push((run.parameters["port"].clone(), run.parameters["CRM_meta_timeout"].clone()));
        executor.done(ended(run.id, code), at(1), &mut out);
        out.clear();
    }
    let given: Vec<_> = given.iter().map(|(port, meta)| (port.as_str(), meta.as_str())).collect();
    assert_eq!(given, [("1", "1"), ("1", "2"), ("2", "2"), ("3", "3")]);
}

#[test]
fn what_an_earlier_run_left_behind_goes_first() {
    let leftover = Leftover {
        id: OperationId(7),
        resource: "web".to_owned(),
        action: "stop".to_owned(),
        remaining: 500,
    };
    let mut executor = Executor::new("node1", vec![leftover]);
    let mut out = Vec::new();
    executor.begin(at(1000), &mut out);
    executor.order(order("monitor", 0), at(1000), &mut out);
    assert!(runs(&mut out).is_empty());
    assert_eq!(executor.next_deadline(), Some(1500));
    executor.deadline(at(1500), &mut out);
    assert_eq!(out, [Output::Cancel(OperationId(7))]);
    out.clear();
    executor.done(ended(OperationId(7), 0), at(1501), &mut out);
    assert_eq!(runs(&mut out)[0].1, "monitor");
}

#[test]
fn results_wait_for_the_metadata_their_digests_need() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let agent =
        AgentName { class: "ocf".to_owned(), provider: Some("x".to_owned()), agent_type: "y".to_owned() };
    let mut start = Order { agent, ..order("start", 0) };
    start.parameters.insert("password".to_owned(), "secret".to_owned());
    executor.order(start, at(0), &mut out);
    let Output::FetchMetadata { id: metadata, .. } = out[0] else { panic!("{out:?}") };
    let id = runs(&mut out)[0].0;
    assert!(executor.done(ended(id, 0), at(5), &mut out).is_empty());
    let parameter = crate::AgentParameter { name: "password".to_owned(), ..Default::default() };
    let known = AgentMetadata { parameters: vec![parameter], ..AgentMetadata::default() };
    let finished = executor.metadata(metadata, Some(known), at(6));
    assert_eq!(
        finished[0].entry.digests.secure.as_ref().map(|(names, _)| names.as_str()),
        Some(" password ")
    );
}

#[test]
fn rule_4_3_5_only_the_expected_exit_code_is_a_success_and_notifications_always_are() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let mut end = |operation: &str, interval: u64, expected: i32, code: i32| {
        let order = Order { expected, ..order(operation, interval) };
        executor.order(order, at(0), &mut out);
        let run = runs(&mut out)[0].0;
        executor.done(ended(run, code), at(1), &mut out).remove(0).entry
    };
    for (operation, interval, expected, code, failed) in [
        ("start", 0, 0, 0, false),
        ("stop", 0, 0, 7, true),
        ("monitor", 0, 7, 7, false),
        ("monitor", 0, 7, 0, true),
        ("monitor", 10_000, 0, 7, true),
        ("monitor", 11_000, 8, 0, true),
        ("monitor", 11_000, 8, 191, false),
        ("promote", 0, 0, 8, true),
        ("migrate_to", 0, 0, 1, true),
    ] {
        let entry = end(operation, interval, expected, code);
        assert_eq!((entry.is_failure(), entry.exit_code), (failed, code), "{operation}");
    }
    let entry = end("notify", 0, 0, 1);
    assert_eq!((entry.status, entry.exit_code), (ExecutionStatus::Done, 0));
}

#[test]
fn rule_4_10_12_nothing_recurs_after_the_node_has_left() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    executor.order(order("start", 0), at(0), &mut out);
    let start = runs(&mut out)[0].0;
    executor.done(ended(start, 0), at(1), &mut out);
    executor.order(order("monitor", 10_000), at(2), &mut out);
    executor.order(order("monitor", 20_000), at(2), &mut out);
    let run = runs(&mut out)[0].0;
    assert_eq!(executor.leave(&mut out), ["web"]);
    assert_eq!(out, [Output::Cancel(run)]);
    assert_eq!(executor.recurring(), 0);
}

#[test]
fn rule_4_7_6_a_device_is_asked_again_before_its_monitor_fails() {
    let agent = AgentName { class: "stonith".to_owned(), provider: None, agent_type: "fence_x".to_owned() };
    let with = |operation: &str, interval: u64, retries: &str| {
        let mut order = Order { agent: agent.clone(), ..order(operation, interval) };
        order.parameters.insert("pcmk_monitor_retries".to_owned(), retries.to_owned());
        order
    };
    let run = |out: &mut Outbox| {
        let Some(Output::Fence(run)) = out.pop() else { panic!("{out:?}") };
        assert!(out.is_empty(), "{out:?}");
        (run.id, run.timeout)
    };
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    // a start that succeeds at the second attempt, which has the rest of the time
    executor.order(with("start", 0, "2"), at(0), &mut out);
    let (first, limit) = run(&mut out);
    assert_eq!(limit, 20_000);
    assert!(executor.done(ended(first, 1), at(500), &mut out).is_empty() && out.is_empty());
    assert_eq!(executor.next_deadline(), Some(1500));
    executor.deadline(at(1500), &mut out);
    let (second, limit) = run(&mut out);
    assert_eq!(limit, 18_500);
    let finished = executor.done(ended(second, 0), at(1600), &mut out);
    assert!(finished.len() == 1 && finished[0].entry.exit_code == 0 && executor.has_device("web"));
    // not more often than allowed, nor late, nor after a timeout
    for (retries, ends_at, status) in [
        ("1", 100, ExecutionStatus::Done),
        ("2", 14_000, ExecutionStatus::Done),
        ("2", 100, ExecutionStatus::TimedOut),
    ] {
        executor.order(with("start", 0, retries), at(10_000), &mut out);
        let (first, _) = run(&mut out);
        let result = OperationResult::plain(first, status, 1, "");
        assert_eq!(executor.done(result, at(10_000 + ends_at), &mut out).len(), 1, "{retries} {ends_at}");
    }
    executor.order(with("start", 0, "2"), at(30_000), &mut out);
    for (time, told) in [(30_100, 0), (31_200, 1)] {
        let (id, _) = run(&mut out);
        assert_eq!(executor.done(ended(id, 1), at(time), &mut out).len(), told);
        executor.deadline(at(time + 1000), &mut out);
    }
    // a monitor that is cancelled in the pause ends, and the device is free
    executor.order(with("monitor", 10_000, "5"), at(40_000), &mut out);
    let (first, _) = run(&mut out);
    executor.done(ended(first, 1), at(40_100), &mut out);
    assert!(executor.order(with("stop", 0, "5"), at(40_200), &mut out).is_empty() && out.is_empty());
    let finished = executor.deadline(at(40_200), &mut out);
    assert_eq!(
        told(&finished),
        [("monitor", ExecutionStatus::Cancelled, 0), ("stop", ExecutionStatus::Done, 0)]
    );
    assert!(executor.take_device("web", Some(1)) && executor.next_deadline().is_none());
}

#[test]
fn rule_4_7_2_a_device_may_have_another_word_for_its_monitor() {
    let agent = AgentName { class: "stonith".to_owned(), provider: None, agent_type: "fence_x".to_owned() };
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let mut start = Order { agent, ..order("start", 0) };
    start.parameters.insert("pcmk_monitor_action".to_owned(), "metadata".to_owned());
    executor.order(start, at(0), &mut out);
    let Some(Output::Fence(run)) = out.pop() else { panic!("{out:?}") };
    assert_eq!(run.input, [("action".to_owned(), "metadata".to_owned())]);
}

#[test]
fn rule_4_12_3_digests_are_of_what_stands_for_a_secret() {
    let mut executor = Executor::new("node1", Vec::new());
    let mut out = Vec::new();
    let mut start = order("start", 0);
    start.parameters.insert("password".to_owned(), "lrm://".to_owned());
    let digest = digests(&start.parameters, 0, None).all;
    executor.order(start, at(0), &mut out);
    let Some(Output::Run(run)) = out.pop() else { panic!("{out:?}") };
    // it is replaced where the agent is run, and nowhere before
    assert_eq!(run.parameters["password"], "lrm://");
    let finished = executor.done(ended(run.id, 0), at(1), &mut out);
    assert_eq!(finished[0].entry.digests.all, digest);
}
