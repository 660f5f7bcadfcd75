//! Typed CIB → nodes, resources and what runs where (chapter 1).

/// What only this stage keeps in the model.
#[derive(Default)]
pub struct Extra<'a> {
    _cib: std::marker::PhantomData<&'a cib::Cib>,
}
