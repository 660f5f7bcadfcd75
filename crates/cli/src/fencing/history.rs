//! Fencing operations as lines and elements (rule 5b.10).

use view::api::Fencing;
use view::markup::Markup;

/// Operations to be shown, pending ones first, then the newest first. Unless `full`: without pending ones, and
/// of those that are alike only the newest.
pub fn selected<'a>(all: &'a [Fencing], target: Option<&str>, full: bool) -> Vec<&'a Fencing> {
    let wanted = |one: &&Fencing| target.is_none_or(|target| one.target.eq_ignore_ascii_case(target));
    let mut list: Vec<&Fencing> = all.iter().filter(wanted).collect();
    list.sort_by_key(|one| (one.state != "pending", std::cmp::Reverse(one.at_ms)));
    if full {
        return list;
    }
    let alike = |a: &Fencing, b: &Fencing| {
        let same = a.state == b.state && a.target == b.target && a.action == b.action;
        same && (a.state != "failed" || a.origin == b.origin && a.client == b.client)
    };
    let mut kept: Vec<&Fencing> = Vec::new();
    for one in list.into_iter().filter(|one| one.state != "pending") {
        if !kept.iter().any(|known| alike(known, one)) {
            kept.push(one);
        }
    }
    kept
}

/// `reboot of beta by alpha for client@alpha last successful at …`.
pub fn line(one: &Fencing, full: bool) -> String {
    let action = match one.action.as_str() {
        "on" => "unfencing",
        "off" => "turning off",
        other => other,
    };
    let ended = one.state != "pending";
    let delegate = one.executor.as_ref().filter(|_| ended).map(|by| format!(" by {by}")).unwrap_or_default();
    let last = if ended && !full { " last" } else { "" };
    let state = match one.state.as_str() {
        "done" => "successful",
        other => other,
    };
    let reason = if one.state == "failed" && !one.reason.is_empty() {
        format!(" ({})", one.reason)
    } else {
        String::new()
    };
    let at = if ended { format!(" at {}", crate::mon::precise(one.at_ms)) } else { String::new() };
    let lie = if one.survived { " (and yet the node was heard after that)" } else { "" };
    format!(
        "{action} of {}{delegate} for {}@{}{last} {state}{reason}{at}{lie}",
        one.target, one.client, one.origin
    )
}

/// What its newest operations say of a node, if that is not simply well: that it is being fenced, that fencing it
/// fails and why, or that its device lies.
pub fn trouble(all: &[Fencing], node: &str) -> Option<String> {
    let mut own: Vec<&Fencing> = all
        .iter()
        .filter(|one| one.action != "on" && !one.merged && one.target.eq_ignore_ascii_case(node))
        .collect();
    own.sort_by_key(|one| (one.state != "pending", std::cmp::Reverse(one.at_ms)));
    let pending = own.first().filter(|one| one.state == "pending");
    let ended = &own[usize::from(pending.is_some())..];
    let failures = ended.iter().take_while(|one| one.state == "failed").count();
    let failed = ended.first().filter(|_| failures > 0).map(|last| {
        let times =
            if failures == 1 { "failed".to_owned() } else { format!("failed {failures} times, last") };
        let reason = if last.reason.is_empty() { "no reason given" } else { &last.reason };
        format!("{times} at {}: {reason}", crate::mon::ctime(last.at))
    });
    match (pending, failed) {
        (Some(now), failed) => {
            let failed = failed.map(|text| format!("; {text}")).unwrap_or_default();
            Some(format!("being fenced since {} ({}){failed}", crate::mon::ctime(now.at), now.client))
        }
        (None, Some(text)) => Some(format!("fencing {text}")),
        (None, None) => {
            let last = ended.first().filter(|one| one.survived)?;
            let by = if last.devices.is_empty() { "announced".to_owned() } else { last.devices.join(", ") };
            Some(format!(
                "heard after it had been fenced by {by} at {}: unless that cuts off storage or network instead of \
                 power, it must not be trusted",
                crate::mon::ctime(last.at)
            ))
        }
    }
}

/// `fence_event`.
pub fn element(one: &Fencing, xml: &mut Markup) {
    let status = match one.state.as_str() {
        "done" => "success",
        other => other,
    };
    let completed = crate::mon::precise(one.at_ms);
    let mut attributes = vec![
        ("action", one.action.as_str()),
        ("target", &one.target),
        ("client", &one.client),
        ("origin", &one.origin),
        ("status", status),
    ];
    if one.state == "failed" && !one.reason.is_empty() {
        attributes.push(("exit-reason", &one.reason));
    }
    if one.state == "pending" {
        // agents look for this word
        attributes.push(("extended-status", "pending"));
    } else {
        attributes.extend(one.executor.as_deref().map(|by| ("delegate", by)));
        attributes.push(("completed", &completed));
    }
    xml.leaf("fence_event", &attributes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, state: &str, at_ms: i64) -> Fencing {
        Fencing {
            id: at_ms.to_string(),
            target: "beta".to_owned(),
            action: action.to_owned(),
            client: "pcs".to_owned(),
            origin: "alpha".to_owned(),
            executor: Some("gamma".to_owned()),
            devices: Vec::new(),
            state: state.to_owned(),
            phase: String::new(),
            merged: false,
            survived: false,
            at: at_ms / 1000,
            at_ms,
            status: 0,
            reason: if state == "failed" { "no power".to_owned() } else { String::new() },
        }
    }

    #[test]
    fn rule_5b_10_1_pending_first_then_the_newest_and_reduced_to_one_of_each() {
        let all = [
            event("off", "done", 1000),
            event("off", "done", 3000),
            event("reboot", "failed", 2000),
            event("on", "pending", 500),
        ];
        let times = |full| selected(&all, None, full).iter().map(|one| one.at_ms).collect::<Vec<_>>();
        assert_eq!(times(true), [500, 3000, 2000, 1000]);
        assert_eq!(times(false), [3000, 2000]);
        assert!(selected(&all, Some("other"), true).is_empty());
        let text = line(&all[2], false);
        assert!(
            text.starts_with("reboot of beta by gamma for pcs@alpha last failed (no power) at "),
            "{text}"
        );
        assert_eq!(line(&all[3], true), "unfencing of beta for pcs@alpha pending");
    }

    #[test]
    fn a_node_that_is_not_simply_fenced_is_told_of() {
        let told = |all: &[Fencing]| trouble(all, "BETA").unwrap_or_default();
        assert_eq!(told(&[event("off", "failed", 1000), event("off", "done", 2000)]), "");
        assert_eq!(told(&[event("on", "failed", 1000)]), "");
        let failed =
            [event("off", "failed", 3000), event("reboot", "failed", 2000), event("off", "done", 1000)];
        let text = told(&failed);
        assert!(
            text.starts_with("fencing failed 2 times, last at ") && text.ends_with(": no power"),
            "{text}"
        );
        let text = told(&[event("off", "pending", 500), failed[0].clone()]);
        assert!(text.starts_with("being fenced since ") && text.contains("(pcs); failed at "), "{text}");
        let lie = Fencing { survived: true, devices: vec!["pdu".to_owned()], ..event("off", "done", 4000) };
        let text = told(&[lie, failed[0].clone()]);
        assert!(text.starts_with("heard after it had been fenced by pdu at "), "{text}");
        assert_eq!(trouble(&failed, "gamma"), None);
    }
}
