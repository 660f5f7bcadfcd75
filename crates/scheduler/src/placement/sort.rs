//! Sorting with comparisons that are not always consistent orderings (rule 2.1.9).

use std::cmp::Ordering;

/// Sorts stably by merging halves, the left one holding `len / 2` elements; the left element goes first
/// unless it compares greater. Never panics, whatever `compare` answers.
pub fn merge_sort_by<T: Copy>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) {
    if items.len() < 2 {
        return;
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    merge_sort_by(left, compare);
    merge_sort_by(right, compare);
    let mut merged = Vec::with_capacity(items.len());
    let (left, right) = items.split_at(items.len() / 2);
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if compare(&left[i], &right[j]) == Ordering::Greater {
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    items.copy_from_slice(&merged);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_stable() {
        let mut items = [(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (0, 'e')];
        merge_sort_by(&mut items, &mut |a, b| a.0.cmp(&b.0));
        assert_eq!(items, [(0, 'e'), (1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')]);
    }

    #[test]
    fn survives_inconsistent_comparisons() {
        let mut items: Vec<u32> = (0..100).collect();
        merge_sort_by(&mut items, &mut |a, b| {
            if (a * 7 + b) % 3 == 0 { Ordering::Less } else { Ordering::Greater }
        });
        items.sort();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
