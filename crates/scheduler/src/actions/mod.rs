//! Which actions exist, when each is created, what state it starts in (chapter 3a).

/// What only this stage keeps in the model.
#[derive(Default)]
pub struct Extra {}
