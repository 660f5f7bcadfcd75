//! Shared, immutable strings: the typed configuration owns its data without copying a name
//! for each place that mentions it.

use rustc_hash::FxHashSet;
use std::sync::Arc;

/// An immutable string that is cheap to clone.
pub type Text = Arc<str>;

/// Gives equal strings one allocation. Never iterated, so the order of its table is not observable.
#[derive(Debug, Default)]
pub struct Interner {
    known: FxHashSet<Text>,
}

impl Interner {
    /// The shared copy of `text`.
    pub fn text(&mut self, text: &str) -> Text {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let shared: Text = Arc::from(text);
        self.known.insert(shared.clone());
        shared
    }
}
