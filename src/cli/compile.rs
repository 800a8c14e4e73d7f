use std::path::PathBuf;

use clap::Args;

use crate::runtime::{CompilerOptions, Lifetime, Priority, Runtime, Tier};

use super::Failure;

/// The compiler's own process: the server stays small, and safe from it
#[derive(Args)]
#[command(hide = true)]
pub struct Compile {
    #[arg(long, value_parser = tier)]
    tier: Tier,
    #[arg(long, value_parser = priority, default_value = "background")]
    priority: Priority,
    /// End when the standard input does
    #[arg(long)]
    end_with_input: bool,
    component: PathBuf,
    code: PathBuf,
}

impl Compile {
    pub(super) fn run(self) -> Result<(), Failure> {
        let options = CompilerOptions {
            tier: self.tier,
            priority: self.priority,
            lifetime: match self.end_with_input {
                true => Lifetime::OfItsInput,
                false => Lifetime::OfItsWork,
            },
        };
        Runtime::compile_main(options, &self.component, &self.code)?;
        Ok(())
    }
}

fn tier(name: &str) -> Result<Tier, String> {
    Tier::from_name(name).ok_or_else(|| format!("`{name}` is neither baseline nor optimised"))
}

fn priority(name: &str) -> Result<Priority, String> {
    Priority::from_name(name).ok_or_else(|| format!("`{name}` is neither awaited nor background"))
}
