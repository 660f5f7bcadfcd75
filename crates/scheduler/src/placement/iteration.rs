//! The order in which the reference iterates its tables (rule 2.27).
//!
//! Its tables are hash tables keyed by strings. Their order decides between nodes that are otherwise
//! equal in a few places, so it is computed from the keys in their order of insertion. Nothing of this
//! is needed, and nothing is computed, where names or scores decide alone.

/// The positions of `keys` (given in order of insertion) in iteration order.
pub fn order<'k>(keys: impl IntoIterator<Item = &'k str>) -> Vec<usize> {
    let mut table = Table::new();
    for (position, key) in keys.into_iter().enumerate() {
        table.insert(Entry { position, hash: hash(key) });
    }
    table.buckets.iter().flatten().map(|entry| entry.position).collect()
}

/// Rule 2.27.1.
fn hash(key: &str) -> u32 {
    let mut hash: u32 = 0;
    for byte in key.bytes() {
        hash = hash.wrapping_mul(31).wrapping_add(i32::from(byte as i8) as u32);
    }
    if hash < 2 { 2 } else { hash }
}

#[derive(Clone, Copy)]
struct Entry {
    position: usize,
    hash: u32,
}

struct Table {
    buckets: Vec<Option<Entry>>,
    used: usize,
}

impl Table {
    fn new() -> Table {
        Table { buckets: vec![None; 8], used: 0 }
    }

    /// Rules 2.27.2 and 2.27.3; keys are distinct and nothing is ever removed.
    fn insert(&mut self, entry: Entry) {
        let mut bucket = start_bucket(entry.hash, self.buckets.len());
        let mut step = 0;
        while self.buckets[bucket].is_some() {
            step += 1;
            bucket = (bucket + step) % self.buckets.len();
        }
        self.buckets[bucket] = Some(entry);
        self.used += 1;
        if self.buckets.len() <= self.used + self.used / 16 {
            self.rebuild();
        }
    }

    /// Rule 2.27.4.
    fn rebuild(&mut self) {
        let wanted = self.used * 1333 / 1000;
        let mut size = 8;
        while size <= wanted {
            size *= 2;
        }
        let old = self.buckets.len();
        self.buckets.resize(size, None);
        let mut moved = vec![false; size];
        for start in 0..old {
            if moved[start] {
                continue;
            }
            let Some(mut entry) = self.buckets[start].take() else { continue };
            loop {
                let mut bucket = start_bucket(entry.hash, size);
                let mut step = 0;
                while moved[bucket] {
                    step += 1;
                    bucket = (bucket + step) % size;
                }
                moved[bucket] = true;
                match self.buckets[bucket].replace(entry) {
                    Some(displaced) => entry = displaced,
                    None => break,
                }
            }
        }
    }
}

fn start_bucket(hash: u32, size: usize) -> usize {
    const PRIMES: [u32; 18] = [
        7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131_071, 262_139, 524_287,
        1_048_573,
    ];
    let prime = PRIMES[(size.trailing_zeros() as usize).saturating_sub(3).min(PRIMES.len() - 1)];
    (hash.wrapping_mul(11) % prime) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_the_examples_of_the_rule() {
        let keys = ["cpu", "memory", "disk", "zeta", "io"];
        let ordered: Vec<&str> = order(keys).into_iter().map(|at| keys[at]).collect();
        assert_eq!(ordered, ["cpu", "disk", "zeta", "io", "memory"]);
        let keys = ["alpha-id", "beta-id", "gamma-id"];
        assert_eq!(keys[order(keys)[0]], "gamma-id");
    }

    #[test]
    fn loses_nothing_when_it_grows() {
        let keys: Vec<String> = (0..1000).map(|number| format!("node{number}")).collect();
        let mut all = order(keys.iter().map(String::as_str));
        all.sort();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }
}
