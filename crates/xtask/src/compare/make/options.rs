//! Cluster options and defaults.

use super::{MOMENTS, Maker};

/// Name, values, and how often of a hundred the option is set.
const OPTIONS: &[(&str, &[&str], usize)] = &[
    ("no-quorum-policy", &["stop", "freeze", "ignore", "demote", "suicide"], 40),
    ("symmetric-cluster", &["true", "false"], 12),
    ("maintenance-mode", &["true", "false"], 6),
    ("stop-all-resources", &["true", "false"], 4),
    ("stop-orphan-resources", &["true", "false"], 15),
    ("stop-orphan-actions", &["true", "false"], 15),
    ("start-failure-is-fatal", &["true", "false"], 25),
    ("enable-startup-probes", &["true", "false"], 12),
    ("startup-fencing", &["true", "false"], 15),
    ("stonith-action", &["reboot", "off"], 25),
    ("stonith-timeout", &["30s", "2min", "90000ms", "PT1M"], 15),
    ("concurrent-fencing", &["true", "false"], 100),
    ("have-watchdog", &["true", "false"], 12),
    ("priority-fencing-delay", &["0", "10s", "1min"], 15),
    ("placement-strategy", &["default", "utilization", "minimal", "balanced"], 40),
    ("node-health-strategy", &["none", "migrate-on-red", "only-green", "progressive", "custom"], 20),
    ("node-health-base", &["0", "10", "-10"], 8),
    ("node-health-red", &["-INFINITY", "-100", "0"], 8),
    ("node-health-yellow", &["-10", "0", "5"], 8),
    ("node-health-green", &["10", "0"], 8),
    ("shutdown-lock", &["true", "false"], 12),
    ("shutdown-lock-limit", &["0", "10min", "1h"], 8),
    ("migration-limit", &["-1", "2"], 10),
    ("batch-limit", &["0", "5", "30"], 10),
    ("cluster-delay", &["60s", "2min"], 10),
    ("cluster-name", &["site-a"], 10),
    ("node-pending-timeout", &["0", "1min", "2h"], 12),
    ("fence-remote-without-quorum", &["true", "false"], 10),
    ("stonith-watchdog-timeout", &["0", "10s", "-1"], 8),
];

const RESOURCE_DEFAULTS: &[(&str, &[&str])] = &[
    ("resource-stickiness", &["0", "1", "100", "INFINITY", "-5"]),
    ("migration-threshold", &["1", "3", "INFINITY"]),
    ("failure-timeout", &["0", "60s", "1h"]),
    ("priority", &["5"]),
    ("allow-migrate", &["true"]),
    ("is-managed", &["false"]),
    ("multiple-active", &["stop_only", "block", "stop_start", "stop_unexpected"]),
    ("target-role", &["Stopped", "Started"]),
    ("critical", &["false"]),
    ("requires", &["nothing", "quorum", "unfencing"]),
];

const OPERATION_DEFAULTS: &[(&str, &[&str])] = &[
    ("timeout", &["30s", "61"]),
    ("on-fail", &["ignore", "block", "stop", "restart", "standby"]),
    ("record-pending", &["true", "false"]),
    ("start-delay", &["5s", "0", "PT1M", "-3s"]),
    ("interval-origin", &["2023-11-14T22:13:13Z", "2023-11-20", "never"]),
];

impl Maker {
    pub(super) fn options(&mut self) -> String {
        let mut pairs = vec![("stonith-enabled".to_owned(), self.fencing.to_string())];
        for (name, values, percent) in OPTIONS {
            if self.random.chance(*percent) {
                pairs.push(((*name).to_owned(), (*self.random.pick(values)).to_owned()));
            }
        }
        self.block("cluster_property_set", &pairs)
    }

    pub(super) fn defaults(&mut self) -> String {
        let mut out = String::new();
        if self.random.chance(35) {
            let blocks = self.default_blocks(RESOURCE_DEFAULTS, false);
            out += &format!("<rsc_defaults>\n{blocks}</rsc_defaults>\n");
        }
        if self.random.chance(20) {
            let blocks = self.default_blocks(OPERATION_DEFAULTS, true);
            out += &format!("<op_defaults>\n{blocks}</op_defaults>\n");
        }
        out
    }

    fn default_blocks(&mut self, choices: &[(&str, &[&str])], operations: bool) -> String {
        let mut out = String::new();
        for _ in 0..self.random.between(1, 2) {
            let rule = if self.random.chance(40) { self.default_rule(operations) } else { String::new() };
            let mut pairs = String::new();
            for _ in 0..self.random.between(1, 2) {
                let (name, values) = *self.random.pick(choices);
                let value = *self.random.pick(values);
                pairs += &self.pair(name, value);
            }
            let score = if self.random.chance(30) {
                format!(" score=\"{}\"", self.random.word(&["1", "10", "INFINITY"]))
            } else {
                String::new()
            };
            let number = self.number();
            out += &format!("<meta_attributes id=\"d{number}\"{score}>{rule}{pairs}</meta_attributes>\n");
        }
        out
    }

    fn default_rule(&mut self, operations: bool) -> String {
        let number = self.number();
        let condition = match self.random.below(if operations { 5 } else { 3 }) {
            0 => self.date_condition(),
            1 => format!("<rsc_expression id=\"x{number}\" class=\"ocf\" provider=\"heartbeat\"/>"),
            2 => format!("<rsc_expression id=\"x{number}\" type=\"Dummy\"/>"),
            3 => format!(
                "<op_expression id=\"x{number}\" name=\"monitor\" interval=\"{}\"/>",
                self.random.word(&["10s", "0", "9000ms"])
            ),
            _ => format!(
                "<op_expression id=\"x{number}\" name=\"{}\"/>",
                self.random.word(&["monitor", "start"])
            ),
        };
        if self.random.chance(20) {
            let other = self.date_condition();
            let operation = self.random.word(&["or", "and"]);
            return format!(
                "<rule id=\"r{number}\" score=\"0\"><rule id=\"r{number}i\" boolean-op=\"{operation}\" score=\"0\">{condition}{other}</rule></rule>"
            );
        }
        format!("<rule id=\"r{number}\" score=\"0\">{condition}</rule>")
    }

    /// A condition on the date, around the moment of the made-up clusters (2023-11-14 22:13:20 UTC).
    pub(super) fn date_condition(&mut self) -> String {
        let number = self.number();
        match self.random.below(5) {
            0 => format!(
                "<date_expression id=\"x{number}\" operation=\"gt\" start=\"{}\"/>",
                self.random.word(MOMENTS)
            ),
            1 => format!(
                "<date_expression id=\"x{number}\" operation=\"lt\" end=\"{}\"/>",
                self.random.word(MOMENTS)
            ),
            2 => format!(
                "<date_expression id=\"x{number}\" operation=\"in_range\" start=\"{}\" end=\"{}\"/>",
                self.random.word(MOMENTS),
                self.random.word(MOMENTS)
            ),
            3 => format!(
                "<date_expression id=\"x{number}\" operation=\"date_spec\"><date_spec id=\"s{number}\" {}/></date_expression>",
                self.random.pick(&[
                    "hours=\"8-17\"",
                    "weekdays=\"2\"",
                    "months=\"11\"",
                    "years=\"2023-2024\"",
                    "hours=\"20-23\" weekdays=\"1-5\"",
                    "monthdays=\"14\" minutes=\"0-13\"",
                    "hours=\"x\"",
                    "hours=\"-22\"",
                    "weekdays=\"5-1\"",
                    "seconds=\"20\"",
                    "months=\"11 \"",
                    "yeardays=\"300-\"",
                    "weeks=\"46\" weekyears=\"2023\""
                ])
            ),
            _ => format!(
                "<date_expression id=\"x{number}\" operation=\"in_range\" start=\"2023-11-14\"><duration id=\"s{number}\" {}/></date_expression>",
                self.random.word(&[
                    "hours=\"2\"",
                    "days=\"1\"",
                    "months=\"1\"",
                    "weeks=\"1\"",
                    "hours=\"22\" minutes=\"13\" seconds=\"20\"",
                    "hours=\"x\"",
                    "days=\"-1\" years=\"1\"",
                    "months=\"15\"",
                ])
            ),
        }
    }
}
