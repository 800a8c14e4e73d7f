//! What the tests share.

pub mod cli;
pub mod components_rt;
pub mod program;
