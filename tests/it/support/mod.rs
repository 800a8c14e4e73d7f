//! What the tests share.

pub mod components_rt;
pub mod program;
