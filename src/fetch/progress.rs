//! Progress reports of a load.

use std::fmt;

/// The steps of a load, in order.
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

/// Receives progress reports. Called often, so implementations must return
/// quickly.
pub trait Progress: Send + Sync {
    /// Bytes of the component so far, and the total if known.
    fn bytes(&self, _done: u64, _total: Option<u64>) {}

    /// The load begins a step.
    fn step(&self, _step: Step) {}
}

/// Ignores progress.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}
