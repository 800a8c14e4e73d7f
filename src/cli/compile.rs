use clap::Args;

use crate::runtime::Runtime;

use super::Failure;

/// The compiler's own process: the server stays small, and safe from it
#[derive(Args)]
#[command(hide = true)]
pub struct Compile {}

impl Compile {
    pub(super) fn run(self) -> Result<(), Failure> {
        Runtime::compile_main()?;
        Ok(())
    }
}
