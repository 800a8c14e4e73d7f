//! Compiling, calling and limiting guests.

mod cache;
mod calls;
mod code_kept;
mod compilers;
mod guest_output;
mod limits;
pub mod limits_denials;
mod limits_shared;
mod limits_told;
mod pool;
mod redaction;
mod values;
