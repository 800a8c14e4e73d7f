//! The integration tests: one binary, so that it links once.

mod architecture;
mod auth_faults;
mod auth_mirrors;
mod auth_registry;
mod auth_tokens;
mod cache;
mod cli_bad_input;
mod cli_help;
mod cli_load;
mod cli_login;
mod cli_offline;
mod cli_secret;
mod cli_sources;
mod clients;
mod crash;
mod documents;
mod fetch_archives;
mod fetch_file;
mod fetch_hostile;
mod fetch_https;
mod fetch_layout;
mod fetch_mirrors;
mod fetch_mirrors_tls;
mod fetch_network;
mod fetch_oci;
mod fetch_oci_faults;
mod fetch_resume;
mod fetch_retries;
mod guest_output;
mod limits_denials;
mod mcp_events;
mod mcp_follow;
mod mcp_http;
mod mcp_sse;
mod mcp_tools;
mod real_components;
mod runtime_cache;
mod runtime_calls;
mod runtime_limits;
mod runtime_redaction;
#[cfg(unix)]
mod sandbox_files;
#[cfg(unix)]
mod sandbox_files_escape;
mod support;
mod verify;
