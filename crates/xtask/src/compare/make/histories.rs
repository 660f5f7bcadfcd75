//! Small clusters whose status says anything that it can: every state of a node, every result of every operation.

use super::{Maker, NOW};

const KEY: &str = "b7a7d1a6-0000-4000-8000-000000000000";

/// An operation and the results that it is expected to have.
const TASKS: &[(&str, &[u32])] = &[
    ("start", &[0]),
    ("stop", &[0]),
    ("monitor", &[0, 10_000]),
    ("monitor", &[10_000, 9_000]),
    ("promote", &[0]),
    ("demote", &[0]),
    ("migrate_to", &[0]),
    ("migrate_from", &[0]),
    ("notify", &[0]),
    ("asyncmon", &[0]),
    ("reload-agent", &[0]),
];

impl Maker {
    /// The document.
    pub(super) fn wild(&mut self) -> String {
        let options = self.options();
        let nodes: String = (self.nodes.iter().enumerate())
            .map(|(index, name)| format!("<node id=\"{}\" uname=\"{name}\"/>\n", index + 1))
            .collect();
        let ids: Vec<String> = (0..self.random.between(2, 6)).map(|number| format!("p{number}")).collect();
        let device = if self.fencing { self.fence_device(0) } else { String::new() };
        let resources: String = ids.iter().map(|id| self.wild_resource(id)).collect();
        let defaults = self.defaults();
        let status: String = (0..self.nodes.len()).map(|index| self.wild_node(index, &ids)).collect();
        format!(
            "<cib crm_feature_set=\"3.16.1\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"1\" admin_epoch=\"0\" have-quorum=\"{}\" dc-uuid=\"1\" execution-date=\"{NOW}\">\n<configuration>\n<crm_config>\n{options}</crm_config>\n<nodes>\n{nodes}</nodes>\n<resources>\n{device}{resources}</resources>\n<constraints/>\n{defaults}</configuration>\n<status>\n{status}</status>\n</cib>\n",
            usize::from(!self.random.chance(20))
        )
    }

    fn wild_resource(&mut self, id: &str) -> String {
        let meta = self.meta();
        let block = self.meta_block(&meta);
        let promotable = self.random.chance(30);
        let (operations, _) = self.operations(id, promotable);
        let kind = if promotable { "Stateful" } else { "Dummy" };
        let primitive = format!(
            "<primitive id=\"{id}\" class=\"ocf\" provider=\"pacemaker\" type=\"{kind}\">\n{block}{operations}</primitive>\n"
        );
        if promotable || self.random.chance(15) {
            let mut pairs = vec![("promotable".to_owned(), promotable.to_string())];
            if self.random.chance(25) {
                pairs.push(("globally-unique".to_owned(), "true".to_owned()));
            }
            let block = self.block("meta_attributes", &pairs);
            return format!("<clone id=\"{id}-clone\">\n{block}{primitive}</clone>\n");
        }
        primitive
    }

    fn wild_node(&mut self, index: usize, ids: &[String]) -> String {
        let (id, name) = (index + 1, self.nodes[index].clone());
        let online = self.random.chance(55);
        let mut word = |choices: &[&'static str], usual: &'static str, name: &str| match if online {
            usual
        } else {
            self.random.word(choices)
        } {
            "" => String::new(),
            value => format!(" {name}=\"{value}\""),
        };
        let words = [
            word(&["", "true", "false", "1", "0", "1699990000", "-1", "maybe"], "true", "in_ccm"),
            word(&["", "online", "offline", "1699990000", "0", "1", "gone"], "online", "crmd"),
            word(&["", "member", "down", "pending", "banned", "Member", "other"], "member", "join"),
            word(&["", "member", "down", "MEMBER", "other"], "member", "expected"),
        ]
        .concat();
        let mut attributes = Vec::new();
        for (attribute, values, percent) in [
            ("shutdown", &["0", "1699999000", ""][..], 10),
            ("terminate", &["true", "1", "0", "1699999000", "x"][..], 6),
            ("standby", &["true", "on", "off"][..], 6),
            ("maintenance", &["true", "off"][..], 6),
        ] {
            if self.random.chance(percent) {
                attributes.push((attribute.to_owned(), self.random.word(values).to_owned()));
            }
        }
        let mut history = String::new();
        for resource in ids {
            let instance = match self.random.below(20) {
                0..=13 => resource.clone(),
                14..=16 => format!("{resource}:{}", self.random.below(3)),
                _ => continue,
            };
            if self.random.chance(15) {
                let task = self.random.word(&["#start_0", "#stop_0", "#monitor_10000", "#monitor_0", ""]);
                let count = self.random.word(&["1", "INFINITY", "2", "0"]).to_owned();
                attributes.push((format!("fail-count-{instance}{task}"), count));
                let time = self.random.word(&["1699999990", "1690000000", "0"]).to_owned();
                attributes.push((format!("last-failure-{instance}{task}"), time));
            }
            history += &self.wild_history(&instance, &name);
        }
        let block = self.block("instance_attributes", &attributes);
        format!(
            "<node_state id=\"{id}\" uname=\"{name}\"{words}><transient_attributes id=\"{id}\">{block}</transient_attributes><lrm id=\"{id}\"><lrm_resources>\n{history}</lrm_resources></lrm></node_state>\n"
        )
    }

    fn wild_history(&mut self, id: &str, node: &str) -> String {
        let mut out =
            format!("<lrm_resource id=\"{id}\" type=\"Dummy\" class=\"ocf\" provider=\"pacemaker\">\n");
        let mut used: Vec<String> = Vec::new();
        for _ in 0..self.random.between(1, 4) {
            let (task, intervals) = *self.random.pick(TASKS);
            let interval = *self.random.pick(intervals);
            let usual = if task == "monitor" && interval == 0 { 7 } else { 0 };
            let expected = if self.random.chance(85) { usual } else { *self.random.pick(&[8, 7, -1, 1]) };
            let code = match self.random.below(10) {
                0..=4 => expected.max(0),
                5 | 6 => *self.random.pick(&[0, 7, 8]),
                _ => *self.random.pick(&[1, 2, 3, 4, 5, 6, 9, 124, 189, 190, 191, 193]),
            };
            let status = match self.random.below(20) {
                0..=13 => 0,
                14 | 15 => -1,
                _ => *self.random.pick(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
            };
            let failed = code != expected && self.random.chance(70);
            let entry = match (failed, interval) {
                (true, _) => format!("{id}_last_failure_0"),
                (false, 0) if !task.starts_with("migrate") => format!("{id}_last_0"),
                _ => format!("{id}_{task}_{interval}"),
            };
            if used.contains(&entry) {
                continue;
            }
            used.push(entry.clone());
            let call = if status == -1 && self.random.chance(80) { -1 } else { self.number() as i64 };
            let transition = self.random.between(1, 4);
            let changed = NOW - *self.random.pick(&[5, 40, 500, 5_000, 100_000]);
            let more = if task.starts_with("migrate") {
                // an operation is recorded on its own side
                let other = self.random.pick(&self.nodes).as_str();
                let (source, target) = if task == "migrate_to" { (node, other) } else { (other, node) };
                format!(" migrate_source=\"{source}\" migrate_target=\"{target}\"")
            } else {
                String::new()
            };
            out += &format!(
                "<lrm_rsc_op id=\"{entry}\" operation_key=\"{id}_{task}_{interval}\" operation=\"{task}\" crm_feature_set=\"3.16.1\" transition-key=\"{call}:{transition}:{expected}:{KEY}\" transition-magic=\"{status}:{code};{call}:{transition}:{expected}:{KEY}\" on_node=\"{node}\" call-id=\"{call}\" rc-code=\"{code}\" op-status=\"{status}\" interval=\"{interval}\" last-rc-change=\"{changed}\" op-digest=\"{}\"{more}/>\n",
                self.random.word(&["f2317cad3d54cec5d7d7aa7d0bf35cf8", "4811cef7f7f94e3a35a70be7916cb2fd"])
            );
        }
        out + "</lrm_resource>\n"
    }
}
