//! What components are granted, and who is asked.

mod asked;
mod cli;
#[cfg(unix)]
mod policy_matrix;
mod secrets_unseen;
