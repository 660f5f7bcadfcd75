//! From option texts to typed options: primary name, legacy alias, check, default (rules 1.4.2–1.4.4).

use super::cluster::*;
use super::tables::{CLUSTER_OPTIONS, OptionInfo, OptionKind};
use crate::notice::{Notice, Place, Severity};
use crate::nvpair::Values;
use crate::text::Text;
use crate::value::{
    HealthScores, Score, Timestamp, parse_boolean, parse_integer, parse_interval, parse_with_unit,
};

impl EffectiveOptions {
    /// Checks `values` and types them; what is not accepted is reported and has its default.
    pub fn from_values(values: Values, next_change: Option<Timestamp>) -> EffectiveOptions {
        let mut checked = Checked { values: &values, notices: Vec::new() };
        let options = checked.options();
        let notices = checked.notices;
        EffectiveOptions { options, values, notices, next_change }
    }
}

struct Checked<'v> {
    values: &'v Values,
    notices: Vec<Notice>,
}

impl Checked<'_> {
    /// The text of an option if it is set and passes its check, else the default of the table.
    fn text(&mut self, name: &'static str) -> Option<Text> {
        let info = CLUSTER_OPTIONS.iter().find(|info| info.name == name)?;
        let default = info.default.map(Text::from);
        let (used, value) = match self.values.value(name) {
            Some(value) => (name, value),
            None => {
                match info.legacy.iter().find_map(|old| self.values.value(old).map(|value| (*old, value))) {
                    Some(found) => found,
                    None => return default,
                }
            }
        };
        let place =
            Place { element: Text::from("nvpair"), id: value.source.pair.clone(), line: value.source.line };
        if used != name {
            let text = format!(
                "Support for legacy name '{used}' for cluster option '{name}' is deprecated and will be removed in a future release"
            );
            self.notices.push(Notice::new(Severity::Note, place.clone(), text));
        }
        if info.accepts(&value.text) {
            return Some(value.text.clone());
        }
        let text =
            format!("Using default value for cluster option '{name}' because '{}' is invalid", value.text);
        self.notices.push(Notice::new(Severity::Error, place, text));
        default
    }

    fn boolean(&mut self, name: &'static str) -> bool {
        self.text(name).as_deref().and_then(parse_boolean).unwrap_or(false)
    }

    /// Milliseconds.
    fn interval(&mut self, name: &'static str) -> u64 {
        self.text(name).as_deref().and_then(parse_interval).unwrap_or(0)
    }

    fn integer(&mut self, name: &'static str) -> i32 {
        let text = self.text(name);
        let value = text.as_deref().and_then(|text| match text {
            "INFINITY" | "+INFINITY" | "-INFINITY" => {
                Score::parse(text).map(|score| i64::from(score.value()))
            }
            _ => parse_integer(text),
        });
        value.unwrap_or(0).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }

    fn score(&mut self, name: &'static str) -> Score {
        self.text(name).as_deref().and_then(Score::parse).unwrap_or_default()
    }

    fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)], default: T) -> T {
        let text = self.text(name);
        let found =
            text.as_deref().and_then(|text| words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)));
        found.map_or(default, |(_, value)| *value)
    }

    fn options(&mut self) -> ClusterOptions {
        let fencing_enabled = self.boolean("fencing-enabled");
        let health_strategy = self.health_strategy();
        ClusterOptions {
            no_quorum_policy: self.no_quorum_policy(fencing_enabled),
            symmetric_cluster: self.boolean("symmetric-cluster"),
            maintenance_mode: self.boolean("maintenance-mode"),
            start_failure_is_fatal: self.boolean("start-failure-is-fatal"),
            stop_all_resources: self.boolean("stop-all-resources"),
            stop_removed_resources: self.boolean("stop-removed-resources"),
            cancel_removed_actions: self.boolean("cancel-removed-actions"),
            enable_startup_probes: self.boolean("enable-startup-probes"),
            fencing_enabled,
            fencing_action: self.word(
                "fencing-action",
                &[("reboot", FencingAction::Reboot), ("off", FencingAction::Off)],
                FencingAction::Reboot,
            ),
            fencing_timeout: self.interval("fencing-timeout"),
            have_watchdog: self.boolean("have-watchdog"),
            concurrent_fencing: self.boolean("concurrent-fencing"),
            startup_fencing: self.boolean("startup-fencing"),
            priority_fencing_delay: self.interval("priority-fencing-delay"),
            node_pending_timeout: self.interval("node-pending-timeout"),
            fence_remote_without_quorum: self.boolean("fence-remote-without-quorum"),
            cluster_delay: self.interval("cluster-delay"),
            batch_limit: self.integer("batch-limit"),
            migration_limit: self.integer("migration-limit"),
            shutdown_lock: self.boolean("shutdown-lock"),
            shutdown_lock_limit: self.interval("shutdown-lock-limit"),
            placement_strategy: self.word(
                "placement-strategy",
                &[
                    ("default", PlacementStrategy::Default),
                    ("utilization", PlacementStrategy::Utilization),
                    ("minimal", PlacementStrategy::Minimal),
                    ("balanced", PlacementStrategy::Balanced),
                ],
                PlacementStrategy::Default,
            ),
            health_strategy,
            health_base: self.score("node-health-base"),
            health_scores: self.health_scores(health_strategy),
            cluster_name: self.text("cluster-name"),
            cluster_recheck_interval: self.interval("cluster-recheck-interval"),
            pe_error_series_max: self.integer("pe-error-series-max"),
            pe_warn_series_max: self.integer("pe-warn-series-max"),
            pe_input_series_max: self.integer("pe-input-series-max"),
            dc_deadtime: self.interval("dc-deadtime"),
            election_timeout: self.interval("election-timeout"),
            shutdown_escalation: self.interval("shutdown-escalation"),
            join_integration_timeout: self.interval("join-integration-timeout"),
            join_finalization_timeout: self.interval("join-finalization-timeout"),
            transition_delay: self.interval("transition-delay"),
            enable_acl: self.boolean("enable-acl"),
            fencing_reaction_panic: self.word("fencing-reaction", &[("panic", true), ("stop", false)], false),
            fencing_watchdog_timeout: self
                .text("fencing-watchdog-timeout")
                .as_deref()
                .and_then(parse_with_unit)
                .unwrap_or(0),
            fencing_max_attempts: self.integer("fencing-max-attempts").max(1) as u32,
            load_threshold: self.integer("load-threshold").max(0) as u32,
            node_action_limit: self.integer("node-action-limit").max(0) as u32,
        }
    }

    fn no_quorum_policy(&mut self, fencing_enabled: bool) -> NoQuorumPolicy {
        let policy = self.word(
            "no-quorum-policy",
            &[
                ("stop", NoQuorumPolicy::Stop),
                ("freeze", NoQuorumPolicy::Freeze),
                ("ignore", NoQuorumPolicy::Ignore),
                ("demote", NoQuorumPolicy::Demote),
                ("fence", NoQuorumPolicy::Fence),
                ("suicide", NoQuorumPolicy::Fence),
            ],
            NoQuorumPolicy::Stop,
        );
        if policy == NoQuorumPolicy::Fence && !fencing_enabled {
            let source =
                self.values.value("no-quorum-policy").map(|value| value.source.clone()).unwrap_or_default();
            let place = Place { element: Text::from("nvpair"), id: source.pair, line: source.line };
            let text = "Resetting no-quorum-policy to 'stop' because fencing is disabled";
            self.notices.push(Notice::new(Severity::Error, place, text));
        }
        policy
    }

    fn health_strategy(&mut self) -> HealthStrategy {
        self.word(
            "node-health-strategy",
            &[
                ("none", HealthStrategy::None),
                ("migrate-on-red", HealthStrategy::MigrateOnRed),
                ("only-green", HealthStrategy::OnlyGreen),
                ("progressive", HealthStrategy::Progressive),
                ("custom", HealthStrategy::Custom),
            ],
            HealthStrategy::None,
        )
    }

    fn health_scores(&mut self, strategy: HealthStrategy) -> HealthScores {
        let (zero, never) = (Score::ZERO, Score::MINUS_INFINITY);
        match strategy {
            HealthStrategy::None => HealthScores::default(),
            HealthStrategy::MigrateOnRed => HealthScores { red: never, yellow: zero, green: zero },
            HealthStrategy::OnlyGreen => HealthScores { red: never, yellow: never, green: zero },
            HealthStrategy::Progressive | HealthStrategy::Custom => HealthScores {
                red: self.score("node-health-red"),
                yellow: self.score("node-health-yellow"),
                green: self.score("node-health-green"),
            },
        }
    }
}

impl OptionInfo {
    /// True if `text` is a value that the option accepts.
    pub fn accepts(&self, text: &str) -> bool {
        match self.kind {
            OptionKind::Boolean => parse_boolean(text).is_some(),
            OptionKind::Duration => parse_interval(text).is_some(),
            OptionKind::Timeout => parse_interval(text).is_some() || parse_with_unit(text).is_some(),
            OptionKind::Integer | OptionKind::Score => Score::parse(text).is_some(),
            OptionKind::NonNegative => parse_integer(text).is_some_and(|value| value >= 0),
            OptionKind::Positive => {
                matches!(text, "INFINITY" | "+INFINITY") || parse_integer(text).is_some_and(|value| value > 0)
            }
            OptionKind::Percentage => parse_integer(text).is_some_and(|value| value >= 0),
            OptionKind::Select(words) => words.contains(&text),
            OptionKind::SelectIgnoringCase(words) => words.iter().any(|word| word.eq_ignore_ascii_case(text)),
            OptionKind::Text | OptionKind::Version => true,
        }
    }
}
