//! The tests that take minutes: commands killed at any moment, and before each
//! step on disk.

mod apply;
mod crash;
mod steps;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
