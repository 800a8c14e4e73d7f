//! Credentials, tokens and logins.

mod faults;
mod mirrors;
mod registry;
mod tokens;
