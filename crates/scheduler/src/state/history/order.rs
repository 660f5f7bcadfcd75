//! In which order history entries happened (rule 1.11.9).

use cib::status::HistoryEntry;
use std::cmp::Ordering;

/// Sorts entries from oldest to newest. The input is in document order. The comparison is not
/// always transitive, so the algorithm is part of the rule (1.11.9.3).
pub(super) fn sorted(entries: &[HistoryEntry]) -> Vec<&HistoryEntry> {
    merge_sort(entries.iter().rev().collect())
}

fn merge_sort(entries: Vec<&HistoryEntry>) -> Vec<&HistoryEntry> {
    if entries.len() < 2 {
        return entries;
    }
    let mut left = entries;
    let right = merge_sort(left.split_off(left.len() / 2));
    let left = merge_sort(left);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if compare(a, b) == Ordering::Greater { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// Whether `a` is newer than `b`.
pub(super) fn is_newer(a: &HistoryEntry, b: &HistoryEntry) -> bool {
    compare(a, b) == Ordering::Greater
}

/// Rule 1.11.9.2: `Less` if `a` is older.
fn compare(a: &HistoryEntry, b: &HistoryEntry) -> Ordering {
    let (call_a, call_b) = (a.call_id.unwrap_or(-1), b.call_id.unwrap_or(-1));
    let same_node = match (a.on_node(), b.on_node()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (None, None) => true,
        _ => false,
    };
    if (same_node && a.id() == b.id()) || (call_a == -1 && call_b == -1) {
        Ordering::Equal
    } else if same_node && call_a >= 0 && call_b >= 0 && call_a != call_b {
        call_a.cmp(&call_b)
    } else if call_a >= 0 && call_b >= 0 {
        compare_changes(a.last_rc_change.unwrap_or(-1), b.last_rc_change.unwrap_or(-1))
    } else {
        compare_pending(a, b, call_a, call_b)
    }
}

/// Step 4: by the time of the last change.
fn compare_changes(a: i64, b: i64) -> Ordering {
    if a >= 0 && a < b {
        Ordering::Less
    } else if b >= 0 && a > b {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// Steps 5 to 8: one of the two is pending.
fn compare_pending(a: &HistoryEntry, b: &HistoryEntry, call_a: i64, call_b: i64) -> Ordering {
    let (Some(magic_a), Some(magic_b)) = (a.transition_magic(), b.transition_magic()) else {
        return Ordering::Equal;
    };
    let (a, b) = (magic_a.key.transition, magic_b.key.transition);
    if !magic_a.key.uuid.eq_ignore_ascii_case(magic_b.key.uuid) || a == b {
        if call_b == -1 {
            return Ordering::Less;
        }
        if call_a == -1 {
            return Ordering::Greater;
        }
    }
    if (a >= 0 && a < b) || b == -1 {
        Ordering::Less
    } else if (b >= 0 && b < a) || a == -1 {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cib::status::HistoryText;

    fn entry(id: &str, call: i64, magic: &str) -> HistoryEntry {
        let mut entry = HistoryEntry::new([
            (HistoryText::Id, id),
            (HistoryText::OnNode, "n"),
            (HistoryText::TransitionMagic, magic),
        ]);
        entry.call_id = Some(call);
        entry
    }

    fn order(entries: &[HistoryEntry]) -> Vec<&str> {
        sorted(entries).into_iter().filter_map(HistoryEntry::id).collect()
    }

    #[test]
    fn call_ids_order_entries_of_one_node() {
        let entries =
            [entry("c", 12, "0:0;1:1:0:u"), entry("a", 3, "0:0;1:1:0:u"), entry("b", 9, "0:0;1:1:0:u")];
        assert_eq!(order(&entries), ["a", "b", "c"]);
    }

    #[test]
    fn a_pending_entry_of_the_same_transition_comes_last() {
        let entries = [entry("pending", -1, "-1:193;2:4:0:u"), entry("done", 7, "0:0;1:4:0:u")];
        assert_eq!(order(&entries), ["done", "pending"]);
    }

    #[test]
    fn a_pending_entry_of_an_older_transition_comes_first() {
        let entries = [entry("done", 7, "0:0;1:4:0:u"), entry("pending", -1, "-1:193;2:3:0:u")];
        assert_eq!(order(&entries), ["pending", "done"]);
    }

    /// Rule 1.11.9.1.
    #[test]
    fn entries_that_cannot_be_compared_stay_in_reverse_document_order() {
        let entries = [entry("x", -1, ""), entry("y", -1, "")];
        assert_eq!(order(&entries), ["y", "x"]);
    }
}
