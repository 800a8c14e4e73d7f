//! Commands for manifests: `apply`, `diff`, `export`, `lock` and `manifest`.

pub mod apply;
pub mod diff;
pub mod export;
pub mod lock;
pub mod manifest;
mod opened;
mod plan;
mod progress;
pub mod provision;
mod source;

pub use source::NeedsFile;
