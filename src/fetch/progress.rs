//! Who wants to know how far a load is.

use std::fmt;

/// The parts of a load, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Resolving,
    Fetching,
    Verifying,
    Compiling,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Resolving => "resolving",
            Step::Fetching => "fetching",
            Step::Verifying => "verifying",
            Step::Compiling => "compiling",
        })
    }
}

/// Is told how far a load is; called often, so it returns quickly.
pub trait Progress: Send + Sync {
    /// Bytes of the component so far, and in all where that is known.
    fn bytes(&self, _done: u64, _total: Option<u64>) {}

    /// The load enters a step.
    fn step(&self, _step: Step) {}
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}
