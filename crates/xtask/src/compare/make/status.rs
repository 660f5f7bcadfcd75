//! What the nodes and resources are said to be doing.

use super::{Leaf, Maker, NOW};

const KEY: &str = "b7a7d1a6-0000-4000-8000-000000000000";
/// Digest of a recurring operation that has only a timeout of 20 s.
const ONLY_TIMEOUT: &str = "4811cef7f7f94e3a35a70be7916cb2fd";

/// How a node fares.
#[derive(Clone, Copy, PartialEq)]
enum Node {
    Online,
    Offline,
    /// Gone without a good-bye.
    Lost,
    Pending,
    ShuttingDown,
    Unseen,
}

/// One entry of a resource's history.
struct Entry<'e> {
    task: &'e str,
    interval: u32,
    code: i32,
    expected: i32,
    /// The operation's status: 0 done, -1 pending, 2 timed out, 4 error.
    status: i32,
    more: String,
}

impl Entry<'_> {
    /// Its id in the history of the resource.
    fn id(&self, resource: &str) -> String {
        let Entry { task, interval, code, expected, status, .. } = self;
        let failed = *status > 0 || (*status == 0 && code != expected && *task != "monitor");
        if failed || (*interval > 0 && code != expected) {
            format!("{resource}_last_failure_0")
        } else if *interval > 0 {
            format!("{resource}_{task}_{interval}")
        } else if task.starts_with("migrate") {
            format!("{resource}_{task}_0")
        } else {
            format!("{resource}_last_0")
        }
    }
}

impl Maker {
    pub(super) fn status(&mut self) -> String {
        let mut out = String::new();
        if self.random.chance(40) && self.next_id > 0 {
            let granted = self.random.word(&["true", "false"]);
            let standby = if self.random.chance(15) { " standby=\"true\"" } else { "" };
            out += &format!(
                "<tickets><ticket_state id=\"ticket1\" granted=\"{granted}\" last-granted=\"1699990000\"{standby}/></tickets>\n"
            );
        }
        let running = self.where_active();
        let cold = self.random.chance(12);
        for (index, name) in self.nodes.clone().iter().enumerate() {
            let node = match self.random.below(30) {
                0..=21 => Node::Online,
                22..=23 => Node::Offline,
                24..=25 => Node::Lost,
                26 => Node::Pending,
                27 => Node::ShuttingDown,
                28 => Node::Unseen,
                _ => Node::Online,
            };
            let active: Vec<bool> = running.iter().map(|places| places.contains(&index)).collect();
            out += &self.node_state(index, name, node, &active, cold);
        }
        for name in self.remotes.clone().iter().chain(&self.guests.clone()) {
            out += &self.remote_state(name, cold);
        }
        for leaf in self.leaves.clone().iter().filter(|leaf| !leaf.inside.is_empty()) {
            for name in &leaf.inside {
                out += &self.bundle_state(name, leaf, cold);
            }
        }
        out
    }

    /// For each leaf the nodes where it is active.
    fn where_active(&mut self) -> Vec<Vec<usize>> {
        let count = self.nodes.len();
        let mut found: Vec<Vec<usize>> = Vec::new();
        for (index, leaf) in self.leaves.clone().iter().enumerate() {
            // members of a group mostly go with the one before
            let follows = index > 0
                && leaf.id.len() == self.leaves[index - 1].id.len()
                && leaf.id.ends_with(|last: char| last.is_ascii_digit())
                && leaf.id[..leaf.id.len() - 1] == self.leaves[index - 1].id[..leaf.id.len() - 1];
            let places = if follows && self.random.chance(85) {
                found[index - 1].clone()
            } else if leaf.instances > 0 {
                (0..count).filter(|_| self.random.chance(75)).collect()
            } else if self.random.chance(4) {
                (0..count).collect()
            } else if self.random.chance(75) {
                vec![self.random.below(count)]
            } else {
                Vec::new()
            };
            found.push(places);
        }
        found
    }

    fn node_state(&mut self, index: usize, name: &str, node: Node, active: &[bool], cold: bool) -> String {
        let id = index + 1;
        let words = match node {
            Node::Online if self.random.chance(6) => {
                "in_ccm=\"1699990000\" crmd=\"1699990001\" join=\"member\" expected=\"member\""
            }
            Node::Online | Node::ShuttingDown => {
                "in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\""
            }
            Node::Offline => "in_ccm=\"false\" crmd=\"offline\" join=\"down\" expected=\"down\"",
            Node::Lost => self.random.word(&[
                "in_ccm=\"false\" crmd=\"offline\" join=\"member\" expected=\"member\"",
                "in_ccm=\"true\" crmd=\"offline\" join=\"member\" expected=\"member\"",
                "in_ccm=\"false\" crmd=\"online\" join=\"member\" expected=\"member\"",
            ]),
            Node::Pending => self.random.word(&[
                "in_ccm=\"true\" crmd=\"offline\" join=\"pending\" expected=\"member\"",
                "in_ccm=\"true\" crmd=\"online\" join=\"pending\" expected=\"member\"",
                "in_ccm=\"1699999000\" crmd=\"0\" join=\"down\" expected=\"down\"",
                "in_ccm=\"1699999000\" crmd=\"0\"",
                "in_ccm=\"true\" crmd=\"online\" join=\"banned\" expected=\"member\"",
            ]),
            Node::Unseen => return String::new(),
        };
        let mut attributes: Vec<(String, String)> = Vec::new();
        if node == Node::ShuttingDown {
            attributes.push(("shutdown".into(), "1699999000".into()));
        }
        if self.random.chance(2) {
            attributes.push(("terminate".into(), "true".into()));
        }
        if self.random.chance(3) {
            attributes.push(("#health-cpu".into(), "yellow".into()));
        }
        if self.random.chance(6) {
            attributes.push(("#node-unfenced".into(), self.random.word(&["1699990000", "0"]).to_string()));
        }
        let mut history = String::new();
        if (node != Node::Offline || self.random.chance(10)) && !cold {
            for (leaf, active) in self.leaves.clone().iter().zip(active) {
                if leaf.inside.is_empty() {
                    history += &self.resource(leaf, *active, name, index, &mut attributes);
                }
            }
            if self.random.chance(10) {
                history += &self.orphan(name);
            }
            if self.random.chance(3) {
                history += &self.former_remote(name);
            }
        }
        let transient = self.transient(id.to_string().as_str(), &attributes);
        format!(
            "<node_state id=\"{id}\" uname=\"{name}\" {words} crm-debug-origin=\"x\">{transient}<lrm id=\"{id}\"><lrm_resources>\n{history}</lrm_resources></lrm></node_state>\n"
        )
    }

    fn transient(&mut self, id: &str, attributes: &[(String, String)]) -> String {
        if attributes.is_empty() {
            return String::new();
        }
        let block = self.block("instance_attributes", attributes);
        format!("<transient_attributes id=\"{id}\">{block}</transient_attributes>")
    }

    fn remote_state(&mut self, name: &str, cold: bool) -> String {
        if cold || self.random.chance(15) {
            return String::new();
        }
        let mut history = String::new();
        let mut attributes = Vec::new();
        for leaf in self.leaves.clone().iter().filter(|leaf| leaf.class != "stonith" && leaf.kind != "remote")
        {
            if self.random.chance(60) && leaf.inside.is_empty() {
                let active = leaf.instances > 0 && self.random.chance(50) || self.random.chance(4);
                history += &self.resource(leaf, active, name, 9, &mut attributes);
            }
        }
        for (attribute, value) in
            [("standby", "true"), ("maintenance", "true"), ("terminate", "true"), ("shutdown", "1699999000")]
        {
            if self.random.chance(3) {
                attributes.push((attribute.into(), value.into()));
            }
        }
        let transient = self.transient(name, &attributes);
        let fenced = if self.random.chance(8) { "1" } else { "0" };
        format!(
            "<node_state remote_node=\"true\" id=\"{name}\" uname=\"{name}\" in_ccm=\"true\" crm-debug-origin=\"x\" node_fenced=\"{fenced}\">{transient}<lrm id=\"{name}\"><lrm_resources>\n{history}</lrm_resources></lrm></node_state>\n"
        )
    }

    fn bundle_state(&mut self, name: &str, leaf: &Leaf, cold: bool) -> String {
        if cold || self.random.chance(15) {
            return String::new();
        }
        let active = self.random.chance(85);
        let mut attributes = Vec::new();
        let history = self.resource(leaf, active, name, 9, &mut attributes);
        let transient = self.transient(name, &attributes);
        format!(
            "<node_state remote_node=\"true\" id=\"{name}\" uname=\"{name}\" in_ccm=\"true\" crm-debug-origin=\"x\" node_fenced=\"0\">{transient}<lrm id=\"{name}\"><lrm_resources>\n{history}</lrm_resources></lrm></node_state>\n"
        )
    }

    fn resource(
        &mut self,
        leaf: &Leaf,
        active: bool,
        node: &str,
        index: usize,
        attributes: &mut Vec<(String, String)>,
    ) -> String {
        if leaf.kind == "remote" && index == 9 {
            return String::new();
        }
        let id = if leaf.unique {
            format!("{}:{}", leaf.id, index % leaf.instances.max(1))
        } else {
            leaf.id.clone()
        };
        if leaf.promotable && self.random.chance(70) {
            attributes.push((
                format!("master-{id}"),
                self.random.word(&["5", "10", "100", "-1", "INFINITY"]).to_string(),
            ));
        }
        let entries = if active {
            self.active(leaf, node, attributes, &id)
        } else {
            self.inactive(node, &id, attributes)
        };
        if entries.is_empty() {
            return String::new();
        }
        self.lrm_resource(&id, leaf, node, &entries)
    }

    fn lrm_resource(&mut self, id: &str, leaf: &Leaf, node: &str, entries: &[Entry]) -> String {
        let provider =
            if leaf.provider.is_empty() { String::new() } else { format!(" provider=\"{}\"", leaf.provider) };
        let lock = if self.random.chance(3) {
            format!(" shutdown-lock=\"{}\"", self.random.word(&["1699999900", "1699990000", "0"]))
        } else {
            String::new()
        };
        // the agent was another one
        let kind = if self.random.chance(1) { "former" } else { leaf.kind };
        let mut out =
            format!("<lrm_resource id=\"{id}\" type=\"{kind}\" class=\"{}\"{provider}{lock}>\n", leaf.class);
        for (position, entry) in entries.iter().enumerate() {
            let call = self.number();
            let name = entry.id(id);
            // a later result takes the place of an earlier one of the same id
            if entries[position + 1..].iter().any(|later| later.id(id) == name) {
                continue;
            }
            let Entry { task, interval, code, expected, status, more } = entry;
            let digest = if *interval == 0 { leaf.digest } else { ONLY_TIMEOUT };
            let digests = self.further_digests(*interval > 0);
            let call_id = if *status == -1 { "-1".to_owned() } else { call.to_string() };
            let changed = NOW - 10_000 + call as i64;
            out += &format!(
                "<lrm_rsc_op id=\"{name}\" operation_key=\"{id}_{task}_{interval}\" operation=\"{task}\" crm-debug-origin=\"x\" crm_feature_set=\"3.16.1\" transition-key=\"{call}:1:{expected}:{KEY}\" transition-magic=\"{status}:{code};{call}:1:{expected}:{KEY}\" exit-reason=\"\" on_node=\"{node}\" call-id=\"{call_id}\" rc-code=\"{code}\" op-status=\"{status}\" interval=\"{interval}\" last-rc-change=\"{changed}\" exec-time=\"10\" queue-time=\"0\" op-digest=\"{digest}\"{digests}{more}/>\n"
            );
        }
        out + "</lrm_resource>\n"
    }

    /// Digests of parameters that call for a restart, and of those that are no secret.
    fn further_digests(&mut self, recurring: bool) -> &'static str {
        const OTHER: &str =
            " op-force-restart=\" fake \" op-restart-digest=\"00000000000000000000000000000000\"";
        const RELOAD: &str =
            " op-force-restart=\" other \" op-restart-digest=\"f2317cad3d54cec5d7d7aa7d0bf35cf8\"";
        const SECRET: &str =
            " op-secure-params=\" fake \" op-secure-digest=\"f2317cad3d54cec5d7d7aa7d0bf35cf8\"";
        match self.random.below(40) {
            0 => OTHER,
            1 | 2 => RELOAD,
            // of what recurs the reference leaves the timeout out, other than it records (3.15.8)
            3 if !recurring => SECRET,
            _ => "",
        }
    }

    fn inactive(
        &mut self,
        node: &str,
        id: &str,
        attributes: &mut Vec<(String, String)>,
    ) -> Vec<Entry<'static>> {
        match self.random.below(40) {
            0..=24 => vec![entry("monitor", 0, 7, 7)],
            25..=32 => vec![entry("stop", 0, 0, 0)],
            33..=35 => Vec::new(),
            36 => vec![Entry { status: 0, ..entry("monitor", 0, 5, 7) }],
            37 => {
                self.count_failure(id, "start", attributes);
                vec![
                    Entry { status: 0, ..entry("start", 0, *self.random.pick(&[1, 5, 6]), 0) },
                    entry("stop", 0, 0, 0),
                ]
            }
            38 => vec![Entry { status: -1, ..entry("monitor", 0, 193, 7) }],
            _ => {
                let target = self.random.pick(&self.nodes).clone();

                vec![
                    Entry {
                        more: format!(" migrate_source=\"{node}\" migrate_target=\"{target}\""),
                        ..entry("migrate_to", 0, 0, 0)
                    },
                    entry("stop", 0, 0, 0),
                ]
            }
        }
    }

    fn count_failure(&mut self, id: &str, task: &str, attributes: &mut Vec<(String, String)>) {
        if self.random.chance(75) {
            let interval = if task == "monitor" { 10_000 } else { 0 };
            let count = self.random.word(&["1", "2", "3", "INFINITY"]).to_string();
            attributes.push((format!("fail-count-{id}#{task}_{interval}"), count));
            attributes.push((
                format!("last-failure-{id}#{task}_{interval}"),
                self.random.word(&["1699990000", "1699999990", "1690000000"]).to_string(),
            ));
        }
    }

    fn active(
        &mut self,
        leaf: &Leaf,
        node: &str,
        attributes: &mut Vec<(String, String)>,
        id: &str,
    ) -> Vec<Entry<'static>> {
        let promoted = leaf.promotable && self.random.chance(30);
        let mut entries = vec![entry("start", 0, 0, 0)];
        if promoted {
            entries.push(entry("promote", 0, 0, 0));
        }
        for (interval, of_promoted) in &leaf.monitors {
            if *of_promoted == promoted && self.random.chance(92) {
                let code = if promoted { 8 } else { 0 };
                entries.push(entry("monitor", *interval, code, code));
            }
        }
        match self.random.below(60) {
            0 => {
                self.count_failure(id, "start", attributes);
                entries = vec![Entry {
                    status: *self.random.pick(&[0, 2, 4]),
                    ..entry("start", 0, *self.random.pick(&[1, 5]), 0)
                }];
            }
            1..=3 => {
                self.count_failure(id, "monitor", attributes);
                let code = *self.random.pick(&[1, 7, 9, 8, 5]);
                entries.push(Entry {
                    status: *self.random.pick(&[0, 0, 2, 4]),
                    ..entry("monitor", 10_000, code, 0)
                });
            }
            4 => {
                self.count_failure(id, "stop", attributes);
                entries.push(Entry { status: *self.random.pick(&[0, 2]), ..entry("stop", 0, 1, 0) });
            }
            5 => entries = vec![Entry { status: -1, ..entry("start", 0, 193, 0) }],
            6 => entries.push(Entry { status: -1, ..entry("stop", 0, 193, 0) }),
            7 => entries = vec![entry("monitor", 0, if promoted { 8 } else { 0 }, 7)],
            8 if leaf.promotable => entries.push(Entry { status: 0, ..entry("promote", 0, 1, 0) }),
            9 if leaf.promotable => {
                entries.push(Entry { status: 0, ..entry("demote", 0, *self.random.pick(&[0, 1]), 0) })
            }
            14 => entries.extend(self.failed_long_ago(attributes, id)),
            10 | 11 => {
                let target = self.random.pick(&self.nodes).clone();
                let more = format!(" migrate_source=\"{node}\" migrate_target=\"{target}\"");
                entries.push(Entry {
                    more,
                    status: *self.random.pick(&[0, 0, -1, 4]),
                    ..entry("migrate_to", 0, *self.random.pick(&[0, 0, 1]), 0)
                });
            }
            12 => {
                let more = format!(" migrate_source=\"node1\" migrate_target=\"{node}\"");
                entries = vec![Entry {
                    more,
                    status: *self.random.pick(&[0, -1, 4]),
                    ..entry("migrate_from", 0, *self.random.pick(&[0, 0, 1]), 0)
                }];
            }
            13 => {
                entries.push(entry("monitor", 31_000, 0, 0));
            }
            _ => {}
        }
        entries
    }

    /// A failure that is recorded beside what went well since, and counted for the resource as a whole.
    fn failed_long_ago(&mut self, attributes: &mut Vec<(String, String)>, id: &str) -> Vec<Entry<'static>> {
        attributes.push((format!("fail-count-{id}"), self.random.word(&["1", "INFINITY", "x"]).to_owned()));
        attributes.push((format!("last-failure-{id}"), "1699999990".to_owned()));
        self.count_failure(id, "monitor", attributes);
        vec![entry("monitor", 10_000, 7, 0), entry("monitor", 10_000, 0, 0)]
    }

    /// The history of a resource that is no longer configured.
    fn orphan(&mut self, node: &str) -> String {
        let leaf = removed("gone", "Dummy");
        let mut attributes = Vec::new();
        let id = self.random.word(&["gone", "gone2", "gone:1"]).to_string();
        let entries = if self.random.chance(70) {
            self.active(&leaf, node, &mut attributes, &id)
        } else {
            vec![entry("monitor", 0, 7, 7)]
        };
        self.lrm_resource(&id, &leaf, node, &entries)
    }
}

/// A primitive that is no longer configured.
fn removed(id: &str, kind: &'static str) -> Leaf {
    Leaf {
        id: id.to_owned(),
        class: "ocf",
        provider: "pacemaker",
        kind,
        monitors: vec![(10_000, false)],
        instances: 0,
        unique: false,
        promotable: false,
        digest: "f2317cad3d54cec5d7d7aa7d0bf35cf8",
        inside: Vec::new(),
    }
}

impl Maker {
    /// The history of a connection to a remote node that is no longer configured.
    fn former_remote(&mut self, node: &str) -> String {
        let leaf = removed("former", "remote");
        let mut attributes = Vec::new();
        let entries = if self.random.chance(80) {
            self.active(&leaf, node, &mut attributes, "former")
        } else {
            vec![entry("monitor", 0, 7, 7)]
        };
        self.lrm_resource("former", &leaf, node, &entries)
    }
}

fn entry(task: &'static str, interval: u32, code: i32, expected: i32) -> Entry<'static> {
    Entry { task, interval, code, expected, status: 0, more: String::new() }
}
