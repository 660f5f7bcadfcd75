//! Makes an input smaller as long as it still shows the same fault.

use xml::{Document, NodeId};

/// The smallest input found for which `fails` holds; at most `tries` attempts.
pub fn minimize(input: &[u8], tries: usize, fails: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let Ok(document) = Document::parse_bytes(input) else { return input.to_vec() };
    let mut best = document;
    let mut left = tries;
    loop {
        let before = best.to_string().len();
        best = without_elements(best, &mut left, fails);
        best = without_attributes(best, &mut left, fails);
        if left == 0 || best.to_string().len() == before {
            let text = best.to_pretty().into_bytes();
            return if fails(&text) { text } else { best.to_string().into_bytes() };
        }
    }
}

fn without_elements(mut best: Document, left: &mut usize, fails: &dyn Fn(&[u8]) -> bool) -> Document {
    let mut index = 0;
    // outer elements come first, so that large parts go at once
    while *left > 0 {
        let next = best.descendants(best.root()).nth(index);
        let Some(id) = next else { break };
        let mut smaller = best.clone();
        smaller.remove(id);
        *left -= 1;
        if fails(smaller.to_string().as_bytes()) {
            best = smaller;
        } else {
            index += 1;
        }
    }
    best
}

fn without_attributes(mut best: Document, left: &mut usize, fails: &dyn Fn(&[u8]) -> bool) -> Document {
    let all: Vec<NodeId> = best.subtree(best.root()).collect();
    for id in all {
        let names: Vec<String> = best.attributes(id).map(|(name, _)| name.to_owned()).collect();
        for name in names.into_iter().filter(|name| name != "id") {
            if *left == 0 {
                return best;
            }
            *left -= 1;
            let mut smaller = best.clone();
            smaller.remove_attribute(id, &name);
            if fails(smaller.to_string().as_bytes()) {
                best = smaller;
            }
        }
    }
    best
}
