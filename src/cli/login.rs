use clap::Args;

use crate::service::LoggedIn;

use super::credentials::CredentialArgs;
use super::output::{self, Present};
use super::{Failure, Global, block_on};

/// Check credentials against a registry and store them
#[derive(Args)]
#[command(after_help = "\
The credentials go to `auth.json` in the root, which only its owner can read.
They are used after --username and WASSETTE_REGISTRY_AUTH, and before those of
Docker and podman.

Examples:
  wassette login ghcr.io
  echo \"$GITHUB_TOKEN\" | wassette login ghcr.io --username token --password-stdin")]
pub struct Login {
    /// The registry, as it stands in references
    #[arg(value_name = "HOST[:PORT]")]
    host: String,

    #[command(flatten)]
    credentials: CredentialArgs,

    /// Show each step of the login on stderr
    #[arg(long)]
    pub(super) debug: bool,
}

impl Login {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(None)?;
        let (username, secret) = self.credentials.ask()?;
        let login = async { Ok(service.login(&self.host, &username, &secret).await?) };
        let logged_in = block_on(login)?;
        if !logged_in.checked {
            tracing::warn!(
                "`{}` is open to all and did not check the credentials",
                logged_in.registry
            );
        }
        output::print(&logged_in, global.output);
        Ok(())
    }
}

impl Present for LoggedIn {
    fn table(&self) -> String {
        format!(
            "Logged in to `{}` as `{}` (stored in {})",
            self.registry,
            self.username,
            self.file.display()
        )
    }
}
