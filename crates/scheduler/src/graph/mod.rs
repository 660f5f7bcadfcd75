//! From actions and relations to the transition graph (chapter 3c).
