//! The cluster at a glance, for screens that are drawn again and again: nodes, a line a resource, and what
//! is wrong. Plain data: whoever draws it decides about colours and what to leave out when room is short.

use cib::value::Role;

use crate::status::monitor::FailCount;
use crate::status::{
    BundleStatus, CloneStatus, Failure, NodeStatus, PrimitiveStatus, ResourceStatus, Status, words,
};

/// What a piece of text means for the one who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// As it should be.
    Good,
    /// In between: on its way, held back on purpose.
    Notable,
    /// Wrong.
    Bad,
    /// Details.
    Quiet,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub tone: Tone,
    pub text: String,
}

/// A line of the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub spans: Vec<Span>,
    /// Nothing to see here: the first to go when room is short.
    pub well: bool,
}

/// What the screen shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// The cluster as a whole, piece by piece.
    pub headline: Vec<Span>,
    /// One piece a node.
    pub nodes: Vec<Span>,
    /// One line a resource, groups' members below their group.
    pub resources: Vec<Row>,
    /// Failures on record and failures counted.
    pub problems: Vec<Row>,
}

fn span(tone: Tone, text: impl Into<String>) -> Span {
    Span { tone, text: text.into() }
}

impl Board {
    /// Reads it from the status. `clock` writes epoch seconds as a local time of day.
    pub fn of(status: &Status, fail_counts: &[FailCount], clock: &dyn Fn(i64) -> String) -> Board {
        let mut resources = Vec::new();
        for resource in &status.resources {
            add(resource, &mut resources);
        }
        Board {
            headline: headline(status),
            nodes: status.nodes.iter().map(node).collect(),
            resources: aligned(resources),
            problems: problems(status, fail_counts, clock),
        }
    }
}

fn headline(status: &Status) -> Vec<Span> {
    let mut spans = vec![match status.nodes.iter().find(|node| node.is_dc) {
        Some(dc) => span(Tone::Plain, format!("DC {}", dc.name)),
        None => span(Tone::Bad, "no DC"),
    }];
    spans.push(if status.quorate { span(Tone::Good, "quorum") } else { span(Tone::Bad, "NO quorum") });
    spans.push(span(Tone::Plain, count(status.counts.instances, "resource")));
    for (number, word) in [(status.counts.disabled, "disabled"), (status.counts.blocked, "BLOCKED")] {
        if number > 0 {
            spans.push(span(Tone::Notable, format!("{number} {word}")));
        }
    }
    if status.maintenance_mode {
        spans.push(span(Tone::Notable, "maintenance: nothing is touched"));
    }
    if status.stop_all_resources {
        spans.push(span(Tone::Notable, "stop-all-resources: everything is stopped"));
    }
    if !status.options.fencing_enabled {
        spans.push(span(Tone::Notable, "fencing is off"));
    }
    spans
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

fn node(node: &NodeStatus) -> Span {
    let (tone, state) = match node {
        node if node.unclean => (Tone::Bad, "UNCLEAN"),
        node if node.pending => (Tone::Notable, "joining"),
        node if !node.online => (Tone::Bad, "OFFLINE"),
        node if node.shutdown => (Tone::Notable, "leaving"),
        node if node.standby_on_fail => (Tone::Bad, "standby after a failure"),
        node if node.standby => (Tone::Notable, "standby"),
        node if node.maintenance => (Tone::Notable, "maintenance"),
        _ => (Tone::Good, "online"),
    };
    span(tone, format!("{} {state}", node.name))
}

/// A resource's line before the columns are aligned.
struct Entry {
    name: String,
    tone: Tone,
    state: String,
    detail: String,
}

fn add(resource: &ResourceStatus, entries: &mut Vec<Entry>) {
    let common = resource.common();
    if common.internal || (common.removed && !common.active) {
        return;
    }
    match resource {
        ResourceStatus::Primitive(it) => entries.push(primitive(it, 0)),
        ResourceStatus::Group(it) => {
            entries.push(collective(&it.common.id, "group", it.members.iter()));
            entries.extend(it.members.iter().map(|member| primitive(member, 1)));
        }
        ResourceStatus::Clone(it) => entries.extend(clone(it)),
        ResourceStatus::Bundle(it) => entries.extend(bundle(it)),
    }
}

/// The line above members: it says nothing but its kind, unless it is kept from running.
fn collective<'m>(name: &str, kind: &str, members: impl Iterator<Item = &'m PrimitiveStatus>) -> Entry {
    let unmanaged = members.into_iter().any(|member| !member.common.managed);
    let tone = if unmanaged { Tone::Notable } else { Tone::Quiet };
    Entry { name: name.to_owned(), tone, state: kind.to_owned(), detail: String::new() }
}

fn primitive(it: &PrimitiveStatus, depth: usize) -> Entry {
    let on: Vec<&str> = match it.nodes.as_slice() {
        [] => it.current_node.as_deref().or(it.pending_node.as_deref()).into_iter().collect(),
        nodes => nodes.iter().map(|node| node.name.as_str()).collect(),
    };
    let (tone, state) = state(it);
    let place = if on.is_empty() { String::new() } else { format!(" {}", on.join(", ")) };
    Entry {
        name: format!("{}{}", "  ".repeat(depth), it.common.name),
        tone,
        state: format!("{state}{place}{}", remarks(it)),
        detail: it.agent.clone(),
    }
}

fn state(it: &PrimitiveStatus) -> (Tone, String) {
    let role = it.role.name().to_lowercase();
    let pending = it.pending_task.as_deref().and_then(words::pending);
    match pending {
        _ if it.nodes.len() > 1 && it.pending_task.is_none() => (Tone::Bad, format!("SEVERAL TIMES {role}")),
        Some(word) => (Tone::Notable, word.to_lowercase()),
        None if it.common.failed => (Tone::Bad, format!("FAILED {role}")),
        None if it.role > Role::Stopped => (Tone::Good, role),
        None if it.common.target_role.is_some() => (Tone::Notable, role),
        None => (Tone::Bad, role),
    }
}

fn remarks(it: &PrimitiveStatus) -> String {
    let all = [
        (it.common.removed, "orphaned"),
        (it.blocked, "BLOCKED"),
        (it.common.maintenance, "maintenance"),
        (!it.common.managed && !it.common.maintenance && !it.blocked, "unmanaged"),
        (it.common.target_role.is_some() && it.role == Role::Stopped, "disabled"),
        (it.common.failure_ignored, "failure ignored"),
        (it.locked_to.is_some(), "locked to its node"),
    ];
    let words: Vec<&str> = all.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

/// One line for all instances in one state each; those that are not well get their own.
fn clone(it: &CloneStatus) -> Vec<Entry> {
    let mut by_state: Vec<(Tone, String, Vec<String>)> = Vec::new();
    let mut below = Vec::new();
    for instance in &it.instances {
        let common = instance.resource.common();
        if instance.pending || instance.notable || instance.location_lost || it.unique {
            below.push(&instance.resource);
        } else if let (true, Some(node)) = (common.active, &instance.location) {
            let role = instance.role.name().to_lowercase();
            match by_state.iter_mut().find(|(_, state, _)| *state == role) {
                Some((_, _, nodes)) => nodes.push(node.clone()),
                None => by_state.push((Tone::Good, role, vec![node.clone()])),
            }
        }
    }
    by_state.sort_by(|left, right| left.1.cmp(&right.1));
    let texts: Vec<String> =
        by_state.iter().map(|(_, state, nodes)| format!("{state} {}", nodes.join(", "))).collect();
    let disabled = it.common.target_role.is_some();
    let (tone, state) = match texts.is_empty() {
        false => (Tone::Good, texts.join("; ")),
        true if !below.is_empty() => (Tone::Quiet, "clone".to_owned()),
        true if disabled => (Tone::Notable, "stopped (disabled)".to_owned()),
        true => (Tone::Bad, "stopped".to_owned()),
    };
    let kind = if it.promotable { "promotable clone" } else { "clone" };
    let head = Entry { name: it.common.id.clone(), tone, state, detail: format!("{kind} of {}", it.child) };
    let mut entries = vec![head];
    for resource in below {
        let start = entries.len();
        add(resource, &mut entries);
        for entry in &mut entries[start..] {
            entry.name.insert_str(0, "  ");
        }
    }
    entries
}

fn bundle(it: &BundleStatus) -> Vec<Entry> {
    let head = Entry {
        name: it.common.id.clone(),
        tone: Tone::Quiet,
        state: "bundle".to_owned(),
        detail: format!("{} {}", it.kind, it.image),
    };
    let replicas = it.replicas.iter().map(|replica| {
        let shown = replica.child.as_ref().unwrap_or(&replica.container);
        let mut entry = primitive(shown, 1);
        if let Some(node) = replica.container.current_node.as_deref() {
            entry.state.push_str(&format!(" in {} on {node}", replica.container.common.name));
        }
        entry
    });
    std::iter::once(head).chain(replicas).collect()
}

/// Entries as lines with a column of names and one of states.
fn aligned(entries: Vec<Entry>) -> Vec<Row> {
    let width = |text: &str| text.chars().count();
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0).min(40);
    let names = widest(&mut entries.iter().map(|entry| width(&entry.name)));
    let states = widest(&mut entries.iter().map(|entry| width(&entry.state)));
    entries
        .into_iter()
        .map(|entry| Row {
            well: matches!(entry.tone, Tone::Good | Tone::Quiet),
            spans: vec![
                span(Tone::Plain, format!("{:names$}  ", entry.name)),
                span(entry.tone, format!("{:states$}  ", entry.state)),
                span(Tone::Quiet, entry.detail),
            ],
        })
        .collect()
}

fn problems(status: &Status, fail_counts: &[FailCount], clock: &dyn Fn(i64) -> String) -> Vec<Row> {
    let row = |tone, text| Row { spans: vec![span(tone, text)], well: false };
    let failures = status.failures.iter().filter(|failure| !failure.masked_probe);
    let failures = failures.map(|failure| row(Tone::Bad, self::failure(failure, clock)));
    let counts = fail_counts.iter().map(|count| row(Tone::Notable, used(count)));
    failures.chain(counts).collect()
}

fn failure(failure: &Failure, clock: &dyn Fn(i64) -> String) -> String {
    let resource = failure.resource.as_deref().unwrap_or(&failure.id);
    let result = if failure.status > 0 {
        words::execution(failure.status).to_lowercase()
    } else {
        words::result(failure.rc).to_lowercase()
    };
    let reason = match failure.exit_reason.as_deref().unwrap_or_default() {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    let at = failure.last_rc_change.map(|at| format!(" at {}", clock(at))).unwrap_or_default();
    format!("{} of {resource} on {} failed{at}: {result}{reason}", failure.task, failure.node)
}

/// How much of a resource's allowance is used up.
fn used(count: &FailCount) -> String {
    let infinite = cib::value::Score::INFINITY.value();
    let FailCount { resource, node, .. } = count;
    match (count.count >= infinite, count.threshold > 0 && count.threshold < infinite) {
        (true, _) => format!("{resource} may not run on {node} any more until its failures are cleaned up"),
        (false, true) => {
            format!("{resource} has used {} of {} failures on {node}", count.count, count.threshold)
        }
        (false, false) => format!("{resource} has failed {} on {node}", times(count.count)),
    }
}

fn times(number: i32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r#"<cib validate-with="pacemaker-3.9" have-quorum="1" dc-uuid="1" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>
<resources><primitive id="A" class="ocf" provider="pacemaker" type="Dummy"/>
<group id="G"><primitive id="B" class="ocf" provider="pacemaker" type="Dummy"/></group>
<clone id="C"><primitive id="c" class="ocf" provider="pacemaker" type="Dummy"/></clone>
<primitive id="Off" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="m"><nvpair id="m-t" name="target-role" value="Stopped"/></meta_attributes></primitive>
</resources><constraints/></configuration>
<status><node_state id="1" uname="node1" in_ccm="true" crmd="online" join="member" expected="member">
<lrm id="1"><lrm_resources>
<lrm_resource id="A" class="ocf" provider="pacemaker" type="Dummy">
<lrm_rsc_op id="A_last_0" operation="start" call-id="3" rc-code="0" op-status="0" interval="0" transition-key="1:1:0:x" transition-magic="0:0;1:1:0:x" last-rc-change="10"/>
<lrm_rsc_op id="A_last_failure_0" operation_key="A_monitor_10000" operation="monitor" call-id="4" rc-code="1" op-status="0" interval="10000" transition-key="2:1:0:x" transition-magic="0:1;2:1:0:x" last-rc-change="20" exit-reason="no disk"/>
</lrm_resource>
<lrm_resource id="c" class="ocf" provider="pacemaker" type="Dummy">
<lrm_rsc_op id="c_last_0" operation="start" call-id="5" rc-code="0" op-status="0" interval="0" transition-key="3:1:0:x" transition-magic="0:0;3:1:0:x" last-rc-change="10"/>
</lrm_resource></lrm_resources></lrm>
</node_state></status></cib>"#;

    fn plain(rows: &[Row]) -> Vec<String> {
        let text = |row: &Row| row.spans.iter().map(|span| span.text.as_str()).collect::<String>();
        rows.iter().map(|row| text(row).trim_end().to_owned()).collect()
    }

    fn board() -> Board {
        let document = xml::Document::parse(CIB).unwrap();
        let (cib, _) = cib::Cib::from_document(&document);
        let model = scheduler::state::build(
            &cib,
            cib::iso8601::Zone::UTC.at(100).into(),
            scheduler::model::PlanOptions::default(),
        );
        let counts = [FailCount {
            resource: "A".into(),
            node: "node1".into(),
            count: 2,
            threshold: 3,
            last_failure: None,
        }];
        Board::of(&Status::of(&model), &counts, &|seconds| format!("{seconds} s"))
    }

    #[test]
    fn each_resource_has_a_line() {
        assert_eq!(
            plain(&board().resources),
            [
                "A    FAILED started node1  ocf:pacemaker:Dummy",
                "G    group",
                "  B  stopped               ocf:pacemaker:Dummy",
                "C    started node1         clone of c",
                "Off  stopped (disabled)    ocf:pacemaker:Dummy",
            ]
        );
    }

    #[test]
    fn nodes_problems_and_the_whole() {
        let board = board();
        let texts = |spans: &[Span]| spans.iter().map(|span| span.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&board.nodes), ["node1 online", "node2 OFFLINE"]);
        assert_eq!(
            texts(&board.headline),
            ["DC node1", "quorum", "5 resources", "1 disabled", "fencing is off"]
        );
        assert_eq!(
            plain(&board.problems),
            [
                "monitor of A on node1 failed at 20 s: error occurred (no disk)",
                "A has used 2 of 3 failures on node1"
            ]
        );
    }
}
