//! Options of the tool that change the cluster before the plan is made, or while it is carried out.

use super::{Kind, Maker};

impl Maker {
    /// Nothing for most clusters.
    pub(super) fn injections(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.random.chance(25) {
            return words;
        }
        for _ in 0..self.random.between(1, 2) {
            let (option, value) = self.injection();
            words.extend([option.to_owned(), value]);
        }
        words
    }

    fn injection(&mut self) -> (&'static str, String) {
        let node = self.random.pick(&self.nodes).clone();
        match self.random.below(16) {
            0 => (
                "-t",
                self.random.word(&["2023-11-15 01:00:00Z", "2023-11-20", "2023-11-14T22:13:30Z"]).into(),
            ),
            1 => ("-q", self.random.word(&["true", "false"]).into()),
            // with it the reference makes cluster nodes of remote nodes as soon as they execute anything
            2 if self.remotes.is_empty() && self.guests.is_empty() && !self.has_bundles() => {
                ("-u", self.random.pick(&[node, "node9".to_owned()]).clone())
            }
            3 | 4 => ("-d", node),
            5 => ("-f", node),
            6 => (self.random.word(&["-g", "-r", "-b", "-e"]), "ticket1".into()),
            7 => ("-w", self.random.word(&["true", "false"]).into()),
            8..=11 => {
                ("-i", self.operation(&[("monitor", 10_000), ("start", 0), ("stop", 0), ("monitor", 0)]))
            }
            _ => ("-F", self.operation(&[("start", 0), ("stop", 0), ("monitor", 10_000), ("promote", 0)])),
        }
    }

    fn has_bundles(&self) -> bool {
        self.named.iter().any(|(_, kind)| *kind == Kind::Bundle)
    }

    /// A result of an operation: `RESOURCE_TASK_INTERVAL@NODE=CODE`.
    fn operation(&mut self, tasks: &[(&str, u32)]) -> String {
        let names: Vec<String> = self.leaves.iter().map(|leaf| leaf.id.clone()).collect();
        let name = if names.is_empty() { "none".to_owned() } else { self.random.pick(&names).clone() };
        let (task, interval) = self.random.pick(tasks);
        let node = self.random.pick(&self.nodes).clone();
        let code = self.random.word(&["0", "1", "5", "7", "8", "9"]);
        format!("{name}_{task}_{interval}@{node}={code}")
    }
}
