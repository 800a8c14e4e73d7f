use clap::Args;

use crate::service::{LoggedOut, LogoutStatus};

use super::output::{self, Present};
use super::{Failure, Global, Opening, block_on};

/// Forget the credentials that `login` stored
#[derive(Args)]
pub struct Logout {
    /// The registry, as it was given to `login`
    #[arg(value_name = "HOST[:PORT]")]
    host: String,
}

impl Logout {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let logout = async { Ok(service.logout(&self.host).await?) };
        output::print(&block_on(logout)?, global.output)?;
        Ok(())
    }
}

impl Present for LoggedOut {
    fn table(&self) -> String {
        match self.status {
            LogoutStatus::Removed => format!("Logged out of `{}`", self.registry),
            LogoutStatus::NotLoggedIn => format!("Not logged in to `{}`", self.registry),
        }
    }
}
