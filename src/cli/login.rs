use clap::{Args, ValueEnum};

use crate::service::{LoggedIn, LoginStore};

use super::authorities::AuthorityArgs;
use super::credentials::CredentialArgs;
use super::output::{self, Present};
use super::{Failure, Global, Opening, Root, block_on};

/// Check credentials against a registry and store them
#[derive(Args)]
#[command(after_help = "\
The credentials go to the keyring of the operating system, where Docker's helper
for it is installed (docker-credential-secretservice, -osxkeychain or -wincred)
and works; otherwise to `auth.json` in the root, which only its owner can read.
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

    /// Where to keep the credentials; by default the keyring, or else the file
    #[arg(long, value_name = "PLACE")]
    store: Option<Store>,

    /// Show each step of the login on stderr
    #[arg(long)]
    pub(super) debug: bool,

    #[command(flatten)]
    authorities: AuthorityArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Store {
    File,
    Keyring,
}

impl Login {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening {
            root: Root::MayBeNew,
            ca: self.authorities.ca.clone(),
            ..Opening::default()
        })?;
        let (username, secret) = self.credentials.ask()?;
        let store = match self.store {
            None => LoginStore::Any,
            Some(Store::File) => LoginStore::File,
            Some(Store::Keyring) => LoginStore::Keyring,
        };
        let user = crate::registry::Login {
            username: &username,
            secret: &secret,
        };
        let login = async { Ok(service.login(&self.host, user, store).await?) };
        let logged_in = block_on(login)?;
        if !logged_in.checked {
            tracing::warn!(
                "`{}` is open to all and did not check the credentials",
                logged_in.registry
            );
        }
        output::print(&logged_in, global.output)?;
        Ok(())
    }
}

impl Present for LoggedIn {
    fn table(&self) -> String {
        let place = match &self.keyring {
            Some(program) => format!("the keyring, by `{program}`"),
            None => self.file.display().to_string(),
        };
        let LoggedIn {
            registry, username, ..
        } = self;
        format!("Logged in to `{registry}` as `{username}` (stored in {place})")
    }
}
