//! The option for additional certificate authorities.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub struct AuthorityArgs {
    /// PEM file of a certificate authority to trust besides the system's (repeatable)
    #[arg(long, value_name = "FILE")]
    pub ca: Vec<PathBuf>,
}
