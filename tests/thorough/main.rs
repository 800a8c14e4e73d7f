//! The tests that take minutes: commands killed at any moment, and before each
//! step on disk, and a server that is misused.

mod apply;
mod crash;
#[cfg(target_os = "linux")]
mod soak;
mod steps;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
