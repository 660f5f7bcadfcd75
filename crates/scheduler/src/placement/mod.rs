//! Where each resource instance goes, and in which role (chapter 2).

/// What only this stage keeps in the model.
#[derive(Default)]
pub struct Extra {}
