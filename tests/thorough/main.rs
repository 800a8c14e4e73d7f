//! Tests that take minutes: commands that are killed at any moment and before each disk operation,
//! a server under attack, and another reader of cosign's formats.

mod apply;
mod cosign;
mod crash;
#[cfg(target_os = "linux")]
mod soak;
mod steps;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
