//! The options for credentials, and how they are read.

use std::io::{self, IsTerminal, Read};

use clap::Args;
use console::Term;

use crate::error::{Class, Diagnose};
use crate::reference::{Reference, Shown};
use crate::registry::{Credential, Given};
use crate::secret::Secret;
use crate::text::without_bom;

use super::terminal::{line, unseen_line};

/// Most bytes of a password or token.
const MAX_SECRET: u64 = 64 * 1024;

#[derive(Args)]
pub struct CredentialArgs {
    /// User name at the registry
    #[arg(long, value_name = "USER", help_heading = "Credentials")]
    username: Option<String>,

    /// Read the password or token from standard input
    #[arg(
        long,
        requires = "username",
        conflicts_with = "password",
        help_heading = "Credentials"
    )]
    password_stdin: bool,

    /// The password or token itself, which other users of this machine may then see
    #[arg(
        long,
        value_name = "SECRET",
        requires = "username",
        help_heading = "Credentials"
    )]
    password: Option<Secret>,
}

/// The reason why the credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("There is no user name")]
    NoUsername,
    #[error("There is no password for `{username}`")]
    NoPassword { username: String },
    #[error("The user name must not contain `:`")]
    Colon,
    #[error("The password cannot be read")]
    Read(#[source] io::Error),
    #[error("`--username` needs a reference that names its registry, and `{reference}` names none")]
    NoRegistry { reference: Shown },
}

impl Diagnose for CredentialError {
    fn code(&self) -> &'static str {
        "missing-credentials"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            CredentialError::NoUsername | CredentialError::NoPassword { .. } => Some(
                "without a terminal, give `--username` and `--password-stdin`: \
                 `echo \"$TOKEN\" | wassette … --username USER --password-stdin`"
                    .into(),
            ),
            _ => None,
        }
    }
}

impl CredentialArgs {
    /// Whether credentials were given; a password is only accepted with a user name.
    pub fn are_given(&self) -> bool {
        self.username.is_some()
    }

    /// The credentials for one reference, if any were given.
    pub fn given(&self, reference: &Reference) -> Result<Option<Given>, CredentialError> {
        let Some(username) = self.username.clone() else {
            return Ok(None);
        };
        let Reference::Oci(oci) = reference else {
            return Err(CredentialError::NoRegistry {
                reference: reference.shown(),
            });
        };
        let secret = self.secret(&username)?;
        Ok(Some(Given {
            registry: oci.registry().to_owned(),
            credential: Credential::Password { username, secret },
        }))
    }

    /// User name and password; asks for missing ones on a terminal.
    pub fn ask(&self) -> Result<(String, Secret), CredentialError> {
        let username = match &self.username {
            Some(username) => username.clone(),
            None => prompted(|terminal| {
                terminal.write_str("User name: ")?;
                line()
            })?,
        };
        if username.is_empty() {
            return Err(CredentialError::NoUsername);
        }
        let secret = self.secret(&username)?;
        Ok((username, secret))
    }

    fn secret(&self, username: &str) -> Result<Secret, CredentialError> {
        if username.contains(':') {
            return Err(CredentialError::Colon);
        }
        let secret = match &self.password {
            Some(secret) => {
                tracing::warn!(
                    "a password on the command line can be seen by other users of this machine; \
                     use `--password-stdin`"
                );
                secret.clone()
            }
            None if self.password_stdin => from_stdin()?,
            None => prompted(|_| unseen_line("Password: "))?.into(),
        };
        match secret.is_empty() {
            true => Err(CredentialError::NoPassword {
                username: username.to_owned(),
            }),
            false => Ok(secret),
        }
    }
}

/// All of standard input except a final newline.
fn from_stdin() -> Result<Secret, CredentialError> {
    let mut text = String::new();
    let stdin = io::stdin().lock();
    let read = stdin.take(MAX_SECRET + 1).read_to_string(&mut text);
    read.map_err(CredentialError::Read)?;
    if text.len() as u64 > MAX_SECRET {
        let error = io::Error::other(format!("it is longer than {MAX_SECRET} bytes"));
        return Err(CredentialError::Read(error));
    }
    Ok(without_bom(&text).trim_end_matches(['\r', '\n']).into())
}

/// Asks on the terminal; empty without one.
fn prompted(ask: impl FnOnce(&Term) -> io::Result<String>) -> Result<String, CredentialError> {
    let terminal = Term::stderr();
    if !io::stdin().is_terminal() || !terminal.is_term() {
        return Ok(String::new());
    }
    ask(&terminal).map_err(CredentialError::Read)
}
