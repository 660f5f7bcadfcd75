//! Alerts: programs that administrators have run when something happens (rule 4.11). Here is decided which run
//! for what, and what they are told; running them is the driver's.

use cib::config::{Alert, AlertSelection};
use cib::nvpair::{Block, Values, unpack};
use cib::rule::RuleInput;
use cib::value::{parse_boolean, parse_interval};
use serde::{Deserialize, Serialize};

use crate::fencing::{FenceRecord, FenceState};
use crate::history::Entry;
use crate::operation::{ExecutionStatus, exit_text};

/// Agents expect the version of a program that they know.
const VERSION: &str = "2.1.5";

/// Milliseconds that an agent may take unless told (rule 4.11.1).
const TIMEOUT: u64 = 30_000;

const TIMESTAMP_FORMAT: &str = "%H:%M:%S.%06N";

/// One run of an alert agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRun {
    /// Id of the alert, and of the recipient if there is one, for messages.
    pub alert: String,
    /// The program.
    pub path: String,
    /// All variables but `CRM_alert_timestamp`, which depends on the host's time zone; of one name the last counts.
    pub environment: Vec<(String, String)>,
    /// Milliseconds.
    pub timeout: u64,
    /// How `CRM_alert_timestamp` is to look.
    pub timestamp_format: String,
    /// Milliseconds since the epoch of what happened.
    pub at: i64,
}

/// Something that alerts are for (rule 4.11.5).
#[derive(Clone, Copy, Debug)]
pub enum Occasion<'a> {
    /// A host became part of the membership, or was lost.
    Node { name: &'a str, id: &'a str, member: bool },
    /// A fencing operation ended.
    Fencing(&'a FenceRecord),
    /// An operation on this node ended.
    Resource { resource: &'a str, entry: &'a Entry },
    /// A transient attribute was written; without a value it was deleted.
    Attribute { name: &'a str, node: &'a str, id: &'a str, value: Option<&'a str> },
}

/// All alerts of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    calls: Vec<Call>,
    /// Runs so far on this node (rule 4.11.4, `CRM_alert_node_sequence`).
    sequence: u64,
}

/// An alert agent for one recipient.
#[derive(Clone, Debug)]
struct Call {
    alert: String,
    path: String,
    recipient: String,
    select: Option<AlertSelection>,
    environment: Vec<(String, String)>,
    timeout: u64,
    timestamp_format: String,
}

impl Alerts {
    /// Takes what is configured now; rules hold as of now.
    pub fn configure(&mut self, alerts: &[Alert], input: &RuleInput<'_>) {
        self.calls = alerts.iter().flat_map(|alert| calls(alert, input)).collect();
    }

    /// What is to be run for an occasion. `at`: milliseconds since the epoch.
    pub fn runs(&mut self, occasion: &Occasion<'_>, at: i64) -> Vec<AlertRun> {
        let wanted: Vec<&Call> = self.calls.iter().filter(|call| call.wants(occasion)).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let told = occasion.variables();
        let mut runs = Vec::new();
        for call in wanted {
            self.sequence += 1;
            let general = [
                ("version", VERSION.to_owned()),
                ("recipient", call.recipient.clone()),
                ("node_sequence", self.sequence.to_string()),
                ("timestamp_epoch", at.div_euclid(1000).to_string()),
                ("timestamp_usec", format!("{:06}", at.rem_euclid(1000) * 1000)),
            ];
            let all = told.iter().cloned().chain(general);
            let mut environment: Vec<(String, String)> =
                all.map(|(name, value)| (format!("CRM_alert_{name}"), value)).collect();
            environment.extend(call.environment.iter().cloned());
            runs.push(AlertRun {
                alert: call.alert.clone(),
                path: call.path.clone(),
                environment,
                timeout: call.timeout,
                timestamp_format: call.timestamp_format.clone(),
                at,
            });
        }
        runs
    }
}

/// An alert without recipients is run once, else for each of them (rule 4.11.1).
fn calls(alert: &Alert, input: &RuleInput<'_>) -> Vec<Call> {
    let call = |id: String, recipient: &str, meta: &[Block], own: Option<&Block>| {
        let mut values = Values::new();
        unpack(meta, input, None, &mut values);
        unpack(&alert.meta, input, None, &mut values);
        let pairs = alert.instance_attributes.first().into_iter().chain(own).flat_map(|block| &block.pairs);
        let timeout = values.get("timeout").and_then(parse_interval).filter(|timeout| *timeout > 0);
        Call {
            alert: id,
            path: alert.path.to_string(),
            recipient: recipient.to_owned(),
            select: alert.select.clone(),
            environment: pairs.map(|pair| (pair.name.to_string(), pair.value.to_string())).collect(),
            timeout: timeout.unwrap_or(TIMEOUT),
            timestamp_format: values.get("timestamp-format").unwrap_or(TIMESTAMP_FORMAT).to_owned(),
        }
    };
    let enabled = |meta: &[Block]| {
        let mut values = Values::new();
        unpack(meta, input, None, &mut values);
        values.get("enabled").and_then(parse_boolean).unwrap_or(true)
    };
    if !enabled(&alert.meta) {
        return Vec::new();
    }
    if alert.recipients.is_empty() {
        return vec![call(alert.id.to_string(), "", &[], None)];
    }
    let recipients = alert.recipients.iter().filter(|recipient| enabled(&recipient.meta));
    recipients
        .map(|recipient| {
            let id = format!("{} for {}", alert.id, recipient.id);
            call(id, &recipient.value, &recipient.meta, recipient.instance_attributes.first())
        })
        .collect()
}

impl Call {
    /// Without a selection all but attributes (rule 4.11.2).
    fn wants(&self, occasion: &Occasion<'_>) -> bool {
        let Some(select) = &self.select else { return !matches!(occasion, Occasion::Attribute { .. }) };
        match occasion {
            Occasion::Node { .. } => select.nodes,
            Occasion::Fencing(_) => select.fencing,
            Occasion::Resource { .. } => select.resources,
            Occasion::Attribute { name, .. } => select
                .attributes
                .as_ref()
                .is_some_and(|names| names.is_empty() || names.iter().any(|one| **one == **name)),
        }
    }
}

impl Occasion<'_> {
    /// What only this kind of occasion tells (rule 4.11.4), without the prefix of the names.
    fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Occasion::Node { name, id, member } => vec![
                ("kind", "node".to_owned()),
                ("node", (*name).to_owned()),
                ("nodeid", (*id).to_owned()),
                ("desc", if *member { "member" } else { "lost" }.to_owned()),
            ],
            Occasion::Fencing(record) => vec![
                ("kind", "fencing".to_owned()),
                ("node", record.target.clone()),
                ("task", "st_notify_fence".to_owned()),
                ("desc", fencing_in_words(record)),
                ("rc", fencing_code(record).to_string()),
            ],
            Occasion::Resource { resource, entry } => {
                let is_done = entry.status == ExecutionStatus::Done;
                vec![
                    ("kind", "resource".to_owned()),
                    ("node", entry.on_node.clone()),
                    ("rsc", (*resource).to_owned()),
                    ("task", entry.operation.clone()),
                    ("interval", entry.interval.to_string()),
                    (
                        "desc",
                        if is_done { exit_text(entry.exit_code) } else { entry.status.text() }.to_owned(),
                    ),
                    ("rc", entry.exit_code.to_string()),
                    ("target_rc", entry.expected.to_string()),
                    ("status", entry.status.number().to_string()),
                    ("exec_time", entry.executed.to_string()),
                ]
            }
            Occasion::Attribute { name, node, id, value } => vec![
                ("kind", "attribute".to_owned()),
                ("node", (*node).to_owned()),
                ("nodeid", (*id).to_owned()),
                ("attribute_name", (*name).to_owned()),
                ("attribute_value", value.unwrap_or_default().to_owned()),
            ],
        }
    }
}

fn fencing_in_words(record: &FenceRecord) -> String {
    let by = record.executor.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let FenceRecord { action, target, client, origin, .. } = record;
    let outcome = if record.state == FenceState::Done { "OK" } else { &record.reason };
    format!("Operation {action} of {target}{by} for {client}@{origin}: {outcome}")
}

/// 0, or a negative number after the system's for errors.
fn fencing_code(record: &FenceRecord) -> i32 {
    let is = |status: ExecutionStatus| record.status == status.number();
    match record.state {
        FenceState::Done => 0,
        _ if is(ExecutionStatus::TimedOut) => -62,
        _ if is(ExecutionStatus::NoFenceDevice) => -19,
        _ => -201,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::tests::entry;
    use crate::replica::Replica;

    fn alerts(xml: &str) -> Alerts {
        let text = format!(
            "<cib validate-with='pacemaker-4.0'><configuration><crm_config/><nodes/><resources/><constraints/>\
             <alerts>{xml}</alerts></configuration><status/></cib>"
        );
        let (replica, problems) = Replica::load(Some(&text));
        assert!(problems.is_empty(), "{problems:?}");
        replica.alerts(Alerts::default(), cib::iso8601::DateTime::EPOCH)
    }

    fn value<'a>(run: &'a AlertRun, name: &str) -> Option<&'a str> {
        run.environment.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    const NODE: Occasion<'_> = Occasion::Node { name: "node1", id: "1", member: false };
    const PING: Occasion<'_> = Occasion::Attribute { name: "pingd", node: "node1", id: "1", value: None };

    #[test]
    fn rule_4_11_1_each_recipient_is_told_with_its_own_settings_over_those_of_the_alert() {
        let mut alerts = alerts(
            "<alert id='a' path='/a'><meta_attributes id='am'><nvpair id='am-t' name='timeout' value='5s'/>\
             </meta_attributes><instance_attributes id='ai'><nvpair id='ai-x' name='x' value='1'/>\
             <nvpair id='ai-y' name='y' value='1'/></instance_attributes>\
             <recipient id='r' value='who'><meta_attributes id='rm'>\
             <nvpair id='rm-f' name='timestamp-format' value='%s'/></meta_attributes>\
             <instance_attributes id='ri'><nvpair id='ri-y' name='y' value='2'/></instance_attributes></recipient>\
             <recipient id='s' value='other'><meta_attributes id='sm'>\
             <nvpair id='sm-e' name='enabled' value='false'/></meta_attributes></recipient></alert>\
             <alert id='b' path='/b'><meta_attributes id='bm'><nvpair id='bm-t' name='timeout' value='0'/>\
             </meta_attributes></alert>\
             <alert id='c' path='/c'><meta_attributes id='cm'><nvpair id='cm-e' name='enabled' value='no'/>\
             </meta_attributes><recipient id='t' value='nobody'/></alert>",
        );
        let runs = alerts.runs(&NODE, 1_700_000_000_012);
        let told: Vec<_> = runs.iter().map(|run| (run.alert.as_str(), run.path.as_str())).collect();
        assert_eq!(told, [("a for r", "/a"), ("b", "/b")]);
        assert_eq!((runs[0].timeout, runs[0].timestamp_format.as_str()), (5000, "%s"));
        assert_eq!((runs[1].timeout, runs[1].timestamp_format.as_str()), (30_000, TIMESTAMP_FORMAT));
        assert_eq!((value(&runs[0], "x"), value(&runs[0], "y")), (Some("1"), Some("2")));
        for (run, recipient, sequence) in [(&runs[0], "who", "1"), (&runs[1], "", "2")] {
            assert_eq!(value(run, "CRM_alert_recipient"), Some(recipient));
            assert_eq!(value(run, "CRM_alert_node_sequence"), Some(sequence));
            assert_eq!(value(run, "CRM_alert_desc"), Some("lost"));
            assert_eq!(value(run, "CRM_alert_timestamp_epoch"), Some("1700000000"));
            assert_eq!(value(run, "CRM_alert_timestamp_usec"), Some("012000"));
        }
    }

    #[test]
    fn rule_4_11_2_without_a_selection_everything_but_attributes() {
        let wanted = |select: &str| {
            let mut alerts = alerts(&format!("<alert id='a' path='/a'>{select}</alert>"));
            let entry = entry("start", 0, 0);
            let resource = Occasion::Resource { resource: "r", entry: &entry };
            [&NODE, &resource, &PING].map(|occasion| alerts.runs(occasion, 0).len())
        };
        assert_eq!(wanted(""), [1, 1, 0]);
        assert_eq!(wanted("<select><select_nodes/></select>"), [1, 0, 0]);
        assert_eq!(wanted("<select><select_attributes/><select_resources/></select>"), [0, 1, 1]);
        let one = |name: &str| {
            format!(
                "<select><select_attributes><attribute id='n' name='{name}'/></select_attributes></select>"
            )
        };
        assert_eq!(wanted(&one("pingd")), [0, 0, 1]);
        assert_eq!(wanted(&one("other")), [0, 0, 0]);
    }

    #[test]
    fn rule_4_2_4_an_execution_that_went_wrong_is_told_by_its_number_and_text() {
        let mut alerts = alerts("<alert id='a' path='/a'/>");
        for (status, number, text) in [
            (ExecutionStatus::Cancelled, "1", "Cancelled"),
            (ExecutionStatus::TimedOut, "2", "Timed out"),
            (ExecutionStatus::Unsupported, "3", "Unsupported"),
            (ExecutionStatus::Error, "4", "Error"),
            (ExecutionStatus::NotInstalled, "7", "Not installed"),
            (ExecutionStatus::NotConnected, "8", "Internal communication failure"),
            (ExecutionStatus::Refused, "9", "Cannot execute now"),
            (ExecutionStatus::NoFenceDevice, "10", "No fence device"),
            (ExecutionStatus::NoSecrets, "11", "CIB secrets unavailable"),
        ] {
            let mut entry = entry("start", 0, 1);
            entry.status = status;
            let runs = alerts.runs(&Occasion::Resource { resource: "r", entry: &entry }, 0);
            let told =
                ["status", "desc"].map(|name| value(&runs[0], &format!("CRM_alert_{name}")).unwrap_or(""));
            assert_eq!(told, [number, text]);
        }
    }

    #[test]
    fn rule_4_11_4_a_resource_operation_is_told_with_all_its_numbers() {
        let mut alerts = alerts("<alert id='a' path='/a'/>");
        let mut entry = entry("monitor", 10_000, 7);
        entry.executed = 15;
        let runs = alerts.runs(&Occasion::Resource { resource: "r", entry: &entry }, 0);
        for (name, expected) in [
            ("kind", "resource"),
            ("rsc", "r"),
            ("task", "monitor"),
            ("interval", "10000"),
            ("desc", "not running"),
            ("rc", "7"),
            ("target_rc", "0"),
            ("status", "0"),
            ("exec_time", "15"),
        ] {
            assert_eq!(value(&runs[0], &format!("CRM_alert_{name}")), Some(expected), "{name}");
        }
    }
}
