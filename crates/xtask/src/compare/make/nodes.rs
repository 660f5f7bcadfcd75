//! Nodes, their attributes and utilization.

use super::Maker;

impl Maker {
    pub(super) fn nodes_section(&mut self) -> String {
        let mut out = String::new();
        for (index, name) in self.nodes.clone().iter().enumerate() {
            let id = index + 1;
            let body = self.node_attributes(8);
            let kind = if self.random.chance(50) { " type=\"member\"" } else { "" };
            let score = if self.random.chance(3) {
                format!(" score=\"{}\"", self.random.word(&["10", "-10", "-INFINITY"]))
            } else {
                String::new()
            };
            out += &format!("<node id=\"{id}\" uname=\"{name}\"{kind}{score}>{body}</node>\n");
        }
        let mut entries = self.remotes.iter().chain(&self.guests).cloned().collect::<Vec<_>>();
        if self.random.chance(2) {
            entries.push("stale".to_owned());
        }
        for name in entries {
            if self.random.chance(40) {
                let body = self.node_attributes(12);
                out += &format!("<node id=\"{name}\" uname=\"{name}\" type=\"remote\">{body}</node>\n");
            }
        }
        out
    }

    /// Instance attributes and utilization of a node; `special` times of a hundred something drastic.
    fn node_attributes(&mut self, special: usize) -> String {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
        if self.random.chance(special) {
            add(self.random.word(&["standby", "maintenance"]), "true");
        }
        if self.random.chance(40) {
            add("rack", self.random.word(&["a", "b"]));
        }
        if self.random.chance(25) {
            add("power", self.random.word(&["1", "10", "100", "-50", "INFINITY"]));
        }
        if self.random.chance(12) {
            add("#health-disk", self.random.word(&["red", "yellow", "green", "-20", "15"]));
        }
        if self.random.chance(3) {
            add("resource-discovery-enabled", self.random.word(&["false", "true"]));
        }
        if self.random.chance(4) {
            add("site-name", "site-b");
        }
        let attributes = self.block("instance_attributes", &pairs);
        let mut capacities: Vec<(String, String)> = Vec::new();
        if self.random.chance(45) {
            capacities.push(("cpu".into(), self.random.word(&["1", "2", "4", "8"]).to_string()));
            if self.random.chance(60) {
                capacities.push(("memory".into(), self.random.word(&["10", "20", "40"]).to_string()));
            }
        }
        attributes + &self.block("utilization", &capacities)
    }
}
