//! Relations between actions and their effects on states (chapter 3b).

/// What only this stage keeps in the model.
#[derive(Default)]
pub struct Extra {}
