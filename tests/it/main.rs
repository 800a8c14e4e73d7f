//! The integration tests: one binary, so that it links once.

mod runtime_cache;
mod runtime_calls;
mod runtime_limits;
mod support;
