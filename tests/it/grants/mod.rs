//! Grants of components, and questions to the user.

mod asked;
mod cli;
#[cfg(unix)]
mod policy_matrix;
mod secrets_unseen;
