//! The history of fencing (rule 5b.10): what was done to which node, by whom, and what came of it.

use super::sections::Sections;
use super::text::Items;

/// What became of a fencing operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Pending,
    Failed,
    Success,
}

impl Outcome {
    /// The word of XML answers.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pending => "pending",
            Outcome::Failed => "failed",
            Outcome::Success => "success",
        }
    }
}

/// One fencing operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceEvent {
    pub action: String,
    pub target: String,
    /// The program that asked.
    pub client: String,
    /// The node it asked on.
    pub origin: String,
    /// The node that carried it out.
    pub delegate: Option<String>,
    pub outcome: Outcome,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it ended, already in words; empty while it has not.
    pub completed: String,
    /// When it ended, or began: for the order. Epoch seconds.
    pub at: i64,
}

impl FenceEvent {
    fn action_word(&self) -> &str {
        match self.action.as_str() {
            "on" => "unfencing",
            "off" => "turning off",
            other => other,
        }
    }

    /// `reboot of beta by alpha for client@alpha last successful at …`. `last`: it stands for earlier ones too.
    pub fn friendly(&self, last: bool, later: Option<&FenceEvent>) -> String {
        let mut text = format!("{} of {}", self.action_word(), self.target);
        if let Some(delegate) = self.delegate.as_ref().filter(|_| self.outcome != Outcome::Pending) {
            text.push_str(&format!(" by {delegate}"));
        }
        text.push_str(&format!(" for {}@{}", self.client, self.origin));
        let last = if last && self.outcome != Outcome::Pending { " last" } else { "" };
        text.push_str(&format!("{last} {}", self.state()));
        text.push_str(&self.reason_text());
        if !self.completed.is_empty() {
            text.push_str(&format!(" at {}", self.completed));
        }
        if let Some(later) = later {
            let by = later.delegate.as_deref().unwrap_or("another node");
            text.push_str(&format!(" (a later attempt from {by} succeeded)"));
        }
        text
    }

    /// `reboot of beta successful: delegate=alpha, client=…, origin=alpha, last-successful='…'`.
    pub fn technical(&self, last: bool) -> String {
        let mut text =
            format!("{} of {} {}{}: ", self.action_word(), self.target, self.state(), self.reason_text());
        if let Some(delegate) = self.delegate.as_ref().filter(|_| self.outcome != Outcome::Pending) {
            text.push_str(&format!("delegate={delegate}, "));
        }
        text.push_str(&format!("client={}, origin={}", self.client, self.origin));
        let label = match (last, self.outcome) {
            (_, Outcome::Pending) => return text,
            (false, _) => "completed",
            (true, Outcome::Failed) => "last-failed",
            (true, Outcome::Success) => "last-successful",
        };
        if !self.completed.is_empty() {
            text.push_str(&format!(", {label}='{}'", self.completed));
        }
        text
    }

    fn state(&self) -> &'static str {
        match self.outcome {
            Outcome::Pending => "pending",
            Outcome::Failed => "failed",
            Outcome::Success => "successful",
        }
    }

    fn reason_text(&self) -> String {
        self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    }
}

/// Pending ones first, then the newest first.
pub fn sorted(events: &[FenceEvent]) -> Vec<FenceEvent> {
    let mut events = events.to_vec();
    events.sort_by_key(|event| (event.outcome != Outcome::Pending, std::cmp::Reverse(event.at)));
    events
}

/// Of those that are alike only the newest (rule 5b.10.1).
pub fn reduced(events: &[FenceEvent]) -> Vec<FenceEvent> {
    let alike = |a: &FenceEvent, b: &FenceEvent| {
        let same = a.outcome == b.outcome && a.target == b.target && a.action == b.action;
        match a.outcome {
            Outcome::Pending => false,
            Outcome::Failed => same && a.origin == b.origin && a.client == b.client,
            Outcome::Success => same,
        }
    };
    let mut kept: Vec<FenceEvent> = Vec::new();
    for event in sorted(events) {
        if !kept.iter().any(|known| alike(known, &event)) {
            kept.push(event);
        }
    }
    kept
}

/// The events of these outcomes as lines.
pub(super) fn list(events: &[FenceEvent], outcomes: &[Outcome], sections: &Sections, items: &mut Items) {
    let all = if sections.fencing_full { sorted(events) } else { reduced(events) };
    let last = !sections.fencing_full;
    for event in all.iter().filter(|event| outcomes.contains(&event.outcome)) {
        let later = all.iter().find(|other| {
            event.outcome == Outcome::Failed
                && other.outcome == Outcome::Success
                && other.target == event.target
                && other.action == event.action
                && other.at >= event.at
        });
        items.item(&if sections.detail { event.technical(last) } else { event.friendly(last, later) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(outcome: Outcome, at: i64) -> FenceEvent {
        FenceEvent {
            action: "reboot".into(),
            target: "beta".into(),
            client: "admin.1".into(),
            origin: "alpha".into(),
            delegate: Some("gamma".into()),
            outcome,
            reason: (outcome == Outcome::Failed).then(|| "no device".into()),
            completed: if outcome == Outcome::Pending { String::new() } else { format!("T{at}") },
            at,
        }
    }

    #[test]
    fn the_newest_stands_for_those_alike() {
        let events = [
            event(Outcome::Success, 1),
            event(Outcome::Pending, 0),
            event(Outcome::Success, 5),
            event(Outcome::Failed, 3),
        ];
        let order: Vec<(Outcome, i64)> =
            reduced(&events).iter().map(|event| (event.outcome, event.at)).collect();
        assert_eq!(order, [(Outcome::Pending, 0), (Outcome::Success, 5), (Outcome::Failed, 3)]);
    }

    #[test]
    fn both_forms() {
        let success = event(Outcome::Success, 5);
        assert_eq!(
            success.friendly(true, None),
            "reboot of beta by gamma for admin.1@alpha last successful at T5"
        );
        assert_eq!(
            event(Outcome::Failed, 3).friendly(true, Some(&success)),
            "reboot of beta by gamma for admin.1@alpha last failed (no device) at T3 (a later attempt from gamma succeeded)"
        );
        assert_eq!(
            success.technical(false),
            "reboot of beta successful: delegate=gamma, client=admin.1, origin=alpha, completed='T5'"
        );
        assert_eq!(
            event(Outcome::Pending, 0).friendly(true, None),
            "reboot of beta for admin.1@alpha pending"
        );
    }
}
