use clap::Parser;

use crate::runtime::Runtime;

use super::Failure;

/// The name of the command that runs the compiler.
pub const NAME: &str = "compile";

/// Compiles components in a process of its own, which the server starts: what
/// the compiler allocates, or dies of, does not concern the server.
#[derive(Parser)]
#[command(name = "wassette compile")]
pub struct Compile {}

impl Compile {
    pub(super) fn run(self) -> Result<(), Failure> {
        Runtime::compile_main()?;
        Ok(())
    }
}
