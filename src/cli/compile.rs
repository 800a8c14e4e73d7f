use std::path::PathBuf;

use clap::Args;

use crate::runtime::{Runtime, Tier};

use super::Failure;

/// The compiler's own process: the server stays small, and safe from it
#[derive(Args)]
#[command(hide = true)]
pub struct Compile {
    #[arg(long, value_parser = tier)]
    tier: Tier,
    component: PathBuf,
    code: PathBuf,
}

impl Compile {
    pub(super) fn run(self) -> Result<(), Failure> {
        Runtime::compile_main(self.tier, &self.component, &self.code)?;
        Ok(())
    }
}

fn tier(name: &str) -> Result<Tier, String> {
    Tier::from_name(name).ok_or_else(|| format!("`{name}` is neither baseline nor optimised"))
}
