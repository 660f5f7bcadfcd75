//! Cluster options in force.

use crate::notice::Notice;
use crate::text::Text;
use crate::value::{HealthScores, Score, Timestamp};

/// `no-quorum-policy` as configured. What `Fence` means depends on fencing and quorum, see
/// [`ClusterOptions::effective_no_quorum_policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NoQuorumPolicy {
    #[default]
    Stop,
    Freeze,
    Ignore,
    Demote,
    /// `fence` or `suicide`.
    Fence,
}

/// `fencing-action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FencingAction {
    #[default]
    Reboot,
    Off,
}

impl FencingAction {
    pub fn name(self) -> &'static str {
        match self {
            FencingAction::Reboot => "reboot",
            FencingAction::Off => "off",
        }
    }
}

/// `placement-strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PlacementStrategy {
    #[default]
    Default,
    Utilization,
    Minimal,
    Balanced,
}

/// `node-health-strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HealthStrategy {
    #[default]
    None,
    MigrateOnRed,
    OnlyGreen,
    Progressive,
    Custom,
}

/// Cluster options with an effect on decisions. Durations are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    pub no_quorum_policy: NoQuorumPolicy,
    pub symmetric_cluster: bool,
    pub maintenance_mode: bool,
    pub start_failure_is_fatal: bool,
    pub stop_all_resources: bool,
    pub stop_removed_resources: bool,
    pub cancel_removed_actions: bool,
    pub enable_startup_probes: bool,
    pub fencing_enabled: bool,
    pub fencing_action: FencingAction,
    pub fencing_timeout: u64,
    pub have_watchdog: bool,
    pub concurrent_fencing: bool,
    pub startup_fencing: bool,
    pub priority_fencing_delay: u64,
    pub node_pending_timeout: u64,
    pub fence_remote_without_quorum: bool,
    pub cluster_delay: u64,
    pub batch_limit: i32,
    pub migration_limit: i32,
    pub shutdown_lock: bool,
    pub shutdown_lock_limit: u64,
    pub placement_strategy: PlacementStrategy,
    pub health_strategy: HealthStrategy,
    pub health_base: Score,
    /// What red, yellow and green are worth under the strategy (rule 1.7.9.1).
    pub health_scores: HealthScores,
    pub cluster_name: Option<Text>,
    pub cluster_recheck_interval: u64,
    pub pe_error_series_max: i32,
    pub pe_warn_series_max: i32,
    pub pe_input_series_max: i32,
    pub dc_deadtime: u64,
    pub election_timeout: u64,
    pub shutdown_escalation: u64,
    pub join_integration_timeout: u64,
    pub join_finalization_timeout: u64,
    pub transition_delay: u64,
    pub enable_acl: bool,
    /// `fencing-reaction` is `panic`.
    pub fencing_reaction_panic: bool,
    pub fencing_watchdog_timeout: i64,
    pub fencing_max_attempts: u32,
    /// Percent of a processor.
    pub load_threshold: u32,
    pub node_action_limit: u32,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        ClusterOptions {
            no_quorum_policy: NoQuorumPolicy::Stop,
            symmetric_cluster: true,
            maintenance_mode: false,
            start_failure_is_fatal: true,
            stop_all_resources: false,
            stop_removed_resources: true,
            cancel_removed_actions: true,
            enable_startup_probes: true,
            fencing_enabled: true,
            fencing_action: FencingAction::Reboot,
            fencing_timeout: 60_000,
            have_watchdog: false,
            concurrent_fencing: true,
            startup_fencing: true,
            priority_fencing_delay: 0,
            node_pending_timeout: 0,
            fence_remote_without_quorum: false,
            cluster_delay: 60_000,
            batch_limit: 0,
            migration_limit: -1,
            shutdown_lock: false,
            shutdown_lock_limit: 0,
            placement_strategy: PlacementStrategy::Default,
            health_strategy: HealthStrategy::None,
            health_base: Score::ZERO,
            health_scores: HealthScores::default(),
            cluster_name: None,
            cluster_recheck_interval: 900_000,
            pe_error_series_max: -1,
            pe_warn_series_max: 5000,
            pe_input_series_max: 4000,
            dc_deadtime: 20_000,
            election_timeout: 120_000,
            shutdown_escalation: 1_200_000,
            join_integration_timeout: 180_000,
            join_finalization_timeout: 1_800_000,
            transition_delay: 0,
            enable_acl: false,
            fencing_reaction_panic: false,
            fencing_watchdog_timeout: 0,
            fencing_max_attempts: 10,
            load_threshold: 80,
            node_action_limit: 0,
        }
    }
}

impl ClusterOptions {
    /// The policy in force (rule 1.4.6): `fence` needs fencing, and quorum that was had before.
    pub fn effective_no_quorum_policy(&self, have_quorum: bool, no_quorum_panic: bool) -> NoQuorumPolicy {
        match self.no_quorum_policy {
            NoQuorumPolicy::Fence if !self.fencing_enabled => NoQuorumPolicy::Stop,
            NoQuorumPolicy::Fence if have_quorum || no_quorum_panic => NoQuorumPolicy::Fence,
            NoQuorumPolicy::Fence => NoQuorumPolicy::Stop,
            policy => policy,
        }
    }
}

/// Options in force at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveOptions {
    pub options: ClusterOptions,
    /// All values by name, known or not, with the lines they come from.
    pub values: crate::nvpair::Values,
    /// Values that were not accepted.
    pub notices: Vec<Notice>,
    /// When a rule on options may change its result.
    pub next_change: Option<Timestamp>,
}
