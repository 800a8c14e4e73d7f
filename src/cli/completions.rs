use clap::Args;
use clap_complete::Shell;

use super::{Failure, output};

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "\
Example:
  wassette completions bash > ~/.local/share/bash-completion/completions/wassette")]
pub struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, command: &mut clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "wassette", &mut script);
        Ok(output::write(&String::from_utf8_lossy(&script))?)
    }
}
