//! Reading the `status` section.

use super::*;
use crate::config::children_named;
use crate::reader::Reader;
use crate::value::{is_true, parse_boolean, parse_integer, parse_unsigned};
use xml::Element;

impl<'a> Reader<'a> {
    /// Everything below `status`.
    pub(crate) fn status(&mut self, section: Element<'a>) -> Status {
        let mut status = Status { present: true, ..Status::default() };
        for element in section.children() {
            match element.name() {
                "node_state" => status.nodes.extend(self.node_state(element)),
                "tickets" => {
                    status.tickets.extend(
                        children_named(element, "ticket_state")
                            .filter_map(|ticket| self.ticket_state(ticket)),
                    );
                }
                _ => {}
            }
        }
        status
    }

    fn node_state(&mut self, element: Element<'a>) -> Option<NodeState> {
        let id = self.required_id(element)?;
        let nonzero = |name: &str| element.attr(name).and_then(parse_integer).is_some_and(|value| value != 0);
        let mut state = NodeState {
            id,
            uname: self.attr(element, "uname"),
            member: member_state(element.attr("in_ccm")),
            peer: peer_state(element.attr("crmd")),
            join: self.attr(element, "join"),
            expected: self.attr(element, "expected"),
            remote_node: is_true(element.attr("remote_node")),
            was_fenced: nonzero("node_fenced"),
            was_in_maintenance: nonzero("node_in_maintenance"),
            line: element.line(),
            ..NodeState::default()
        };
        if let Some(transient) = element.child("transient_attributes") {
            state.transient_attributes = self.blocks(transient, "instance_attributes");
            state.transient_utilization = self.blocks(transient, "utilization");
        }
        if let Some(list) = element.child("lrm").and_then(|lrm| lrm.child("lrm_resources")) {
            state.history.reserve_exact(children_named(list, "lrm_resource").count());
            for resource in children_named(list, "lrm_resource") {
                state.history.extend(self.resource_history(resource));
            }
        }
        Some(state)
    }

    fn resource_history(&mut self, element: Element<'a>) -> Option<ResourceHistory> {
        let mut history = ResourceHistory {
            id: self.required_id(element)?,
            class: None,
            provider: None,
            agent_type: None,
            container: None,
            shutdown_lock: None,
            other_attributes: Vec::new(),
            entries: self.history_entries(element),
            line: element.line(),
        };
        for (name, value) in element.attributes() {
            match name {
                "id" => {}
                "class" => history.class = Some(self.text(value)),
                "provider" => history.provider = Some(self.text(value)),
                "type" => history.agent_type = Some(self.text(value)),
                "container" => history.container = Some(self.text(value)),
                "shutdown-lock" => history.shutdown_lock = parse_integer(value).filter(|time| *time != 0),
                _ => history.other_attributes.push((self.text(name), self.text(value))),
            }
        }
        Some(history)
    }

    /// Nearly all histories have one or two entries: room for just these.
    fn history_entries(&mut self, element: Element<'a>) -> Vec<HistoryEntry> {
        let mut entries = Vec::with_capacity(children_named(element, "lrm_rsc_op").count());
        let read = children_named(element, "lrm_rsc_op").map(|entry| history_entry(entry, &mut self.columns));
        entries.extend(read);
        entries
    }

    fn ticket_state(&mut self, element: Element<'a>) -> Option<TicketState> {
        let id = self.required_id(element)?;
        let attributes = element.attributes().filter(|(name, _)| *name != "id");
        Some(TicketState {
            id,
            granted: is_true(element.attr("granted")),
            standby: is_true(element.attr("standby")),
            last_granted: element.attr("last-granted").and_then(parse_integer),
            attributes: attributes.map(|(name, value)| (self.text(name), self.text(value))).collect(),
            line: element.line(),
        })
    }
}

fn member_state(text: Option<&str>) -> MemberState {
    let Some(text) = text else { return MemberState::Unknown };
    match (parse_boolean(text), parse_integer(text)) {
        (Some(true), _) => MemberState::Member,
        (Some(false), _) | (None, Some(0)) => MemberState::NotMember,
        (None, Some(time)) if time > 0 => MemberState::Since(time),
        _ => MemberState::Unknown,
    }
}

fn peer_state(text: Option<&str>) -> PeerState {
    match text {
        None | Some("offline") => PeerState::Offline,
        Some("online") => PeerState::Online,
        Some(text) => match parse_integer(text) {
            Some(time) if time > 0 => PeerState::Since(time),
            _ => PeerState::Offline,
        },
    }
}

/// What an attribute of a history entry is.
#[derive(Clone, Copy)]
enum Column {
    Text(HistoryText),
    Number(usize),
    Other,
}

impl Column {
    fn of(name: &str) -> Column {
        let number = match name {
            "call-id" => 0,
            "rc-code" => 1,
            "op-status" => 2,
            "interval" => 3,
            "last-rc-change" => 4,
            "exec-time" => 5,
            "queue-time" => 6,
            _ => return HistoryText::from_attribute(name).map_or(Column::Other, Column::Text),
        };
        Column::Number(number)
    }
}

/// The columns of the entry read last. The next one has nearly always the same attributes, and the names of
/// one document are shared, so that their addresses tell them apart.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    known: Vec<(&'a str, Column)>,
}

impl<'a> Columns<'a> {
    fn of(&mut self, position: usize, name: &'a str) -> Column {
        match self.known.get_mut(position) {
            Some((known, column)) if std::ptr::eq(*known, name) => *column,
            Some(known) => {
                *known = (name, Column::of(name));
                known.1
            }
            None => {
                let column = Column::of(name);
                self.known.push((name, column));
                column
            }
        }
    }
}

fn history_entry<'a>(element: Element<'a>, columns: &mut Columns<'a>) -> HistoryEntry {
    let mut texts: [Option<&str>; HistoryText::COUNT] = [None; HistoryText::COUNT];
    let mut numbers = [None::<&str>; 7];
    for (position, (name, value)) in element.attributes().enumerate() {
        match columns.of(position, name) {
            Column::Text(which) => texts[which as usize] = Some(value),
            Column::Number(which) => numbers[which] = Some(value),
            Column::Other => {}
        }
    }
    let number = |index: usize| numbers[index].and_then(parse_integer);
    let mut entry = HistoryEntry::pack(&texts);
    entry.call_id = number(0);
    entry.rc_code = number(1);
    entry.op_status = number(2);
    entry.interval = numbers[3].and_then(parse_unsigned).unwrap_or(0);
    entry.last_rc_change = number(4);
    entry.exec_time = number(5);
    entry.queue_time = number(6);
    entry.line = element.line();
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> Status {
        let document = xml::Document::parse(text).expect("well-formed");
        Reader::new(document.root_element()).status(document.root_element())
    }

    #[test]
    fn node_states_old_and_new() {
        let status = status(
            "<status><node_state id=\"1\" uname=\"a\" in_ccm=\"true\" crmd=\"online\"/>\
             <node_state id=\"2\" in_ccm=\"1700000000\" crmd=\"1700000001\" node_fenced=\"1\"/>\
             <node_state id=\"3\" in_ccm=\"0\" crmd=\"offline\"/><node_state id=\"4\" crmd=\"maybe\"/></status>",
        );
        let read: Vec<(i64, i64)> =
            status.nodes.iter().map(|node| (node.member.time(99), node.peer.time())).collect();
        assert_eq!(read, [(99, 1), (1_700_000_000, 1_700_000_001), (0, 0), (-1, 0)]);
        assert!(status.nodes[1].was_fenced && !status.nodes[0].was_fenced);
    }

    #[test]
    fn history_keeps_every_text_and_types_the_numbers() {
        let status = status(
            "<status><node_state id=\"1\"><lrm id=\"1\"><lrm_resources><lrm_resource id=\"p\" class=\"ocf\" provider=\"x\" type=\"y\" shutdown-lock=\"12\">\
             <lrm_rsc_op id=\"p_last_0\" operation=\"start\" transition-key=\"3:-1:0:uuid\" transition-magic=\"0:0;3:-1:0:uuid\" \
             call-id=\"7\" rc-code=\"0\" op-status=\"0\" interval=\"99999999999\" exit-reason=\"\" op-digest=\"abc\"/></lrm_resource>\
             </lrm_resources></lrm></node_state></status>",
        );
        let history = &status.nodes[0].history[0];
        assert_eq!((history.shutdown_lock, history.agent_type.as_deref()), (Some(12), Some("y")));
        let entry = &history.entries[0];
        assert_eq!((entry.id(), entry.operation_key()), (Some("p_last_0"), Some("p_last_0")));
        assert_eq!((entry.exit_reason(), entry.on_node()), (Some(""), None));
        assert_eq!((entry.call_id, entry.interval, entry.last_rc_change), (Some(7), 0, None));
        assert_eq!(entry.text(HistoryText::OpDigest), Some("abc"));
        let key = entry.transition_key().expect("a key");
        assert_eq!((key.action, key.transition, key.expected_rc, key.uuid), (3, -1, 0, "uuid"));
        assert_eq!(entry.transition_magic().map(|magic| magic.key), Some(key));
    }

    #[test]
    fn tickets() {
        let status = status(
            "<status><tickets><ticket_state id=\"t\" granted=\"true\" last-granted=\"5\" owner=\"me\"/></tickets></status>",
        );
        let ticket = &status.tickets[0];
        assert!(ticket.granted && !ticket.standby && ticket.last_granted == Some(5));
        assert_eq!(ticket.attributes.len(), 3);
    }

    #[test]
    fn undecodable_keys() {
        for text in ["", "1:2:3", "1:2:x:u", "1:2:3:"] {
            assert_eq!(TransitionKey::parse(text), None, "{text}");
        }
        assert_eq!(TransitionMagic::parse("0:7"), None);
    }
}
