//! The integration tests: one binary, so that it links once.

mod architecture;
mod cli_bad_input;
mod cli_help;
mod cli_load;
mod cli_offline;
mod clients;
mod crash;
mod fetch_archives;
mod fetch_file;
mod fetch_hostile;
mod fetch_https;
mod fetch_layout;
mod fetch_oci;
mod fetch_oci_faults;
mod guest_output;
mod mcp_events;
mod mcp_http;
mod mcp_sse;
mod mcp_tools;
mod real_components;
mod runtime_cache;
mod runtime_calls;
mod runtime_limits;
mod support;
mod verify;
