//! The integration tests: one binary, so that it links once.

mod architecture;
mod auth;
mod catalog;
mod charts;
mod cli;
mod client;
mod escape;
mod fetch;
mod fleet;
mod grants;
mod mcp;
mod publish;
mod runtime;
mod sandbox;
mod share;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod trust;
