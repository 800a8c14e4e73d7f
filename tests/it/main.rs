//! The integration tests: one binary, so that it links once.

mod architecture;
mod cli_bad_input;
mod cli_help;
mod cli_load;
mod crash;
mod runtime_cache;
mod runtime_calls;
mod runtime_limits;
mod support;
