//! How long work tells where it stands, without printing anything itself.

/// Receives the progress of one long operation.
pub trait Progress {
    /// A new part of the work begins, in the user's words ("filling the base").
    fn begin(&mut self, what: &str);
    /// `done` of `total` units of the present part; `total` is `None` when it is not known.
    fn advance(&mut self, done: u64, total: Option<u64>);
}

/// Says nothing: for hooks and tests.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _what: &str) {}
    fn advance(&mut self, _done: u64, _total: Option<u64>) {}
}
