//! The `status` section in typed form: node states, resource history, tickets.
//!
//! History is by far the largest part of a CIB, so one entry owns one allocation for all its texts.

mod read;
pub(crate) use read::Columns;

use crate::nvpair::Block;
use crate::text::Text;
use crate::value::Timestamp;

/// Everything below `status`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// `node_state` elements with an `id`, in document order.
    pub nodes: Vec<NodeState>,
    /// `ticket_state` elements with an `id`, in document order (IDs may repeat).
    pub tickets: Vec<TicketState>,
    /// True if the document had a `status` section at all.
    pub present: bool,
}

/// A `node_state`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeState {
    pub id: Text,
    pub uname: Option<Text>,
    /// `in_ccm`.
    pub member: MemberState,
    /// `crmd`.
    pub peer: PeerState,
    pub join: Option<Text>,
    pub expected: Option<Text>,
    /// `remote_node` is a true word.
    pub remote_node: bool,
    /// Nonzero integer `node_fenced`.
    pub was_fenced: bool,
    /// Nonzero integer `node_in_maintenance`.
    pub was_in_maintenance: bool,
    /// `transient_attributes/instance_attributes`.
    pub transient_attributes: Vec<Block>,
    /// `transient_attributes/utilization`.
    pub transient_utilization: Vec<Block>,
    /// `lrm_resource` elements with an `id`, in document order.
    pub history: Vec<ResourceHistory>,
    pub line: u32,
}

/// Reading of `in_ccm` (rule 1.7.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// Missing or unreadable (-1).
    #[default]
    Unknown,
    /// A false word or 0.
    NotMember,
    /// A true word: member since "now".
    Member,
    /// Member since a moment (positive).
    Since(Timestamp),
}

impl MemberState {
    /// The number the rules compare: -1, 0, or a time.
    pub fn time(self, now: Timestamp) -> Timestamp {
        match self {
            MemberState::Unknown => -1,
            MemberState::NotMember => 0,
            MemberState::Member => now,
            MemberState::Since(time) => time,
        }
    }
}

/// Reading of `crmd` (rule 1.7.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerState {
    /// Missing, `offline`, 0 or unreadable.
    #[default]
    Offline,
    /// `online` (reads as 1).
    Online,
    /// In the process group since a moment (positive).
    Since(Timestamp),
}

impl PeerState {
    /// The number the rules compare: 0, 1, or a time.
    pub fn time(self) -> Timestamp {
        match self {
            PeerState::Offline => 0,
            PeerState::Online => 1,
            PeerState::Since(time) => time,
        }
    }
}

/// An `lrm_resource`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceHistory {
    pub id: Text,
    pub class: Option<Text>,
    pub provider: Option<Text>,
    pub agent_type: Option<Text>,
    pub container: Option<Text>,
    /// Nonzero `shutdown-lock`.
    pub shutdown_lock: Option<Timestamp>,
    /// Other XML attributes in document order.
    pub other_attributes: Vec<(Text, Text)>,
    /// `lrm_rsc_op` elements in document order.
    pub entries: Vec<HistoryEntry>,
    pub line: u32,
}

/// Text attributes of a history entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistoryText {
    Id,
    Operation,
    OperationKey,
    TransitionKey,
    TransitionMagic,
    ExitReason,
    OnNode,
    OpDigest,
    OpRestartDigest,
    OpForceRestart,
    OpSecureParams,
    OpSecureDigest,
    MigrateSource,
    MigrateTarget,
    FeatureSet,
    DebugOrigin,
}

impl HistoryText {
    /// How many there are.
    pub const COUNT: usize = 16;

    /// All of them, in the order in which they are stored.
    pub const ALL: [HistoryText; HistoryText::COUNT] = [
        HistoryText::Id,
        HistoryText::Operation,
        HistoryText::OperationKey,
        HistoryText::TransitionKey,
        HistoryText::TransitionMagic,
        HistoryText::ExitReason,
        HistoryText::OnNode,
        HistoryText::OpDigest,
        HistoryText::OpRestartDigest,
        HistoryText::OpForceRestart,
        HistoryText::OpSecureParams,
        HistoryText::OpSecureDigest,
        HistoryText::MigrateSource,
        HistoryText::MigrateTarget,
        HistoryText::FeatureSet,
        HistoryText::DebugOrigin,
    ];

    /// The text kept in this XML attribute, `None` for other attributes.
    pub fn from_attribute(name: &str) -> Option<HistoryText> {
        Some(match name {
            "id" => HistoryText::Id,
            "operation" => HistoryText::Operation,
            "operation_key" => HistoryText::OperationKey,
            "transition-key" => HistoryText::TransitionKey,
            "transition-magic" => HistoryText::TransitionMagic,
            "exit-reason" => HistoryText::ExitReason,
            "on_node" => HistoryText::OnNode,
            "op-digest" => HistoryText::OpDigest,
            "op-restart-digest" => HistoryText::OpRestartDigest,
            "op-force-restart" => HistoryText::OpForceRestart,
            "op-secure-params" => HistoryText::OpSecureParams,
            "op-secure-digest" => HistoryText::OpSecureDigest,
            "migrate_source" => HistoryText::MigrateSource,
            "migrate_target" => HistoryText::MigrateTarget,
            "crm_feature_set" => HistoryText::FeatureSet,
            "crm-debug-origin" => HistoryText::DebugOrigin,
            _ => return None,
        })
    }

    /// Name of the XML attribute.
    pub fn attribute(self) -> &'static str {
        match self {
            HistoryText::Id => "id",
            HistoryText::Operation => "operation",
            HistoryText::OperationKey => "operation_key",
            HistoryText::TransitionKey => "transition-key",
            HistoryText::TransitionMagic => "transition-magic",
            HistoryText::ExitReason => "exit-reason",
            HistoryText::OnNode => "on_node",
            HistoryText::OpDigest => "op-digest",
            HistoryText::OpRestartDigest => "op-restart-digest",
            HistoryText::OpForceRestart => "op-force-restart",
            HistoryText::OpSecureParams => "op-secure-params",
            HistoryText::OpSecureDigest => "op-secure-digest",
            HistoryText::MigrateSource => "migrate_source",
            HistoryText::MigrateTarget => "migrate_target",
            HistoryText::FeatureSet => "crm_feature_set",
            HistoryText::DebugOrigin => "crm-debug-origin",
        }
    }
}

/// An `lrm_rsc_op`: numbers typed, texts packed into one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// All present texts one after another.
    texts: Box<str>,
    /// End of each text in `texts`; equal to the previous end with the bit in `present` unset if missing.
    ends: [u32; HistoryText::COUNT],
    present: u32,
    /// `None` if missing or no integer.
    pub call_id: Option<i64>,
    /// Recorded result; `None` if missing or no integer.
    pub rc_code: Option<i64>,
    /// Recorded status; `None` if missing or no integer.
    pub op_status: Option<i64>,
    /// Milliseconds; missing or out of range counts as 0.
    pub interval: u32,
    pub last_rc_change: Option<Timestamp>,
    /// Milliseconds.
    pub exec_time: Option<i64>,
    /// Milliseconds.
    pub queue_time: Option<i64>,
    pub line: u32,
}

impl HistoryEntry {
    /// An entry with the given texts (a later mention of the same text replaces an earlier one)
    /// and no numbers.
    pub fn new<'a>(texts: impl IntoIterator<Item = (HistoryText, &'a str)>) -> HistoryEntry {
        let mut slots: [Option<&str>; HistoryText::COUNT] = [None; HistoryText::COUNT];
        for (which, text) in texts {
            slots[which as usize] = Some(text);
        }
        HistoryEntry::pack(&slots)
    }

    /// An entry from one slot a text, no numbers.
    pub(crate) fn pack(slots: &[Option<&str>; HistoryText::COUNT]) -> HistoryEntry {
        let mut packed = String::with_capacity(slots.iter().flatten().map(|text| text.len()).sum());
        let mut ends = [0; HistoryText::COUNT];
        let mut present = 0;
        for (index, slot) in slots.iter().enumerate() {
            if let Some(text) = slot {
                packed.push_str(text);
                present |= 1 << index;
            }
            ends[index] = packed.len() as u32;
        }
        HistoryEntry {
            texts: packed.into_boxed_str(),
            ends,
            present,
            call_id: None,
            rc_code: None,
            op_status: None,
            interval: 0,
            last_rc_change: None,
            exec_time: None,
            queue_time: None,
            line: 0,
        }
    }

    /// A text attribute, `None` if the element does not have it.
    pub fn text(&self, which: HistoryText) -> Option<&str> {
        let index = which as usize;
        if self.present & (1 << index) == 0 {
            return None;
        }
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.texts[start as usize..self.ends[index] as usize])
    }

    /// `id`; `None` makes the entry worthless.
    pub fn id(&self) -> Option<&str> {
        self.text(HistoryText::Id)
    }

    pub fn operation(&self) -> Option<&str> {
        self.text(HistoryText::Operation)
    }

    pub fn on_node(&self) -> Option<&str> {
        self.text(HistoryText::OnNode)
    }

    /// `operation_key`, or the ID if that is missing or empty (rule 1.12.3).
    pub fn operation_key(&self) -> Option<&str> {
        self.text(HistoryText::OperationKey).filter(|key| !key.is_empty()).or_else(|| self.id())
    }

    pub fn exit_reason(&self) -> Option<&str> {
        self.text(HistoryText::ExitReason)
    }

    pub fn migrate_source(&self) -> Option<&str> {
        self.text(HistoryText::MigrateSource)
    }

    pub fn migrate_target(&self) -> Option<&str> {
        self.text(HistoryText::MigrateTarget)
    }

    /// Decoded `transition-key`; `None` if missing or undecodable.
    pub fn transition_key(&self) -> Option<TransitionKey<'_>> {
        self.text(HistoryText::TransitionKey).and_then(TransitionKey::parse)
    }

    /// Decoded `transition-magic`: status, result, key.
    pub fn transition_magic(&self) -> Option<TransitionMagic<'_>> {
        self.text(HistoryText::TransitionMagic).and_then(TransitionMagic::parse)
    }

    /// Expected result from the key, -1 if there is none (rule 1.12.3).
    pub fn expected_rc(&self) -> i32 {
        self.transition_key().map_or(-1, |key| key.expected_rc)
    }
}

/// `action:transition:expected:uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionKey<'a> {
    pub action: i32,
    pub transition: i32,
    pub expected_rc: i32,
    pub uuid: &'a str,
}

impl<'a> TransitionKey<'a> {
    /// Decodes a key; `None` unless it has all four parts.
    pub fn parse(text: &'a str) -> Option<TransitionKey<'a>> {
        let mut parts = text.splitn(4, ':');
        let mut number = || parts.next().and_then(|part| part.trim_start().parse::<i32>().ok());
        let (action, transition, expected_rc) = (number()?, number()?, number()?);
        let uuid = parts.next().filter(|uuid| !uuid.is_empty())?;
        Some(TransitionKey { action, transition, expected_rc, uuid })
    }
}

/// `status:rc;key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionMagic<'a> {
    pub op_status: i32,
    pub rc: i32,
    pub key: TransitionKey<'a>,
}

impl<'a> TransitionMagic<'a> {
    /// Decodes a magic; `None` unless all parts are there.
    pub fn parse(text: &'a str) -> Option<TransitionMagic<'a>> {
        let (result, key) = text.split_once(';')?;
        let (op_status, rc) = result.split_once(':')?;
        Some(TransitionMagic {
            op_status: op_status.parse().ok()?,
            rc: rc.parse().ok()?,
            key: TransitionKey::parse(key)?,
        })
    }
}

/// A `ticket_state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketState {
    pub id: Text,
    pub granted: bool,
    pub standby: bool,
    /// Seconds since the epoch; `None` if never or not an integer.
    pub last_granted: Option<Timestamp>,
    /// All attributes but `id`, in document order.
    pub attributes: Vec<(Text, Text)>,
    pub line: u32,
}
