//! Wassette: any WebAssembly component as tools for an AI agent.

pub mod digest;
pub mod error;

pub mod reference;

pub mod catalog;

pub mod fetch;
