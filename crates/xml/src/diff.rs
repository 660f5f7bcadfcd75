//! Differences between two trees.
