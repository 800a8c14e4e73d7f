use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::publish::{EncryptedKey, SigningKey};
use crate::secret::Secret;

use super::output::{self, Present};
use super::table::pairs;
use super::terminal::{line, unseen_line};
use super::{Failure, Global};

/// Attempts to enter a key's password.
const TRIES: usize = 3;
const VARIABLE: &str = "COSIGN_PASSWORD";

/// Make keys that sign components
#[derive(Args)]
pub struct Key {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a key pair: PREFIX.key, encrypted with a password, and PREFIX.pub
    ///
    /// The files are in the format of `cosign generate-key-pair`.
    #[command(after_help = "\
The password is read from COSIGN_PASSWORD, else asked for on a terminal, else read
from standard input.

Examples:
  wassette key generate acme
  wassette sign oci://ghcr.io/acme/weather:1.2 --key acme.key")]
    Generate {
        /// Where to write the two files
        #[arg(default_value = "cosign")]
        prefix: PathBuf,
    },
}

impl Key {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let Verb::Generate { prefix } = self.verb;
        let [private, public] = ["key", "pub"].map(|end| {
            let mut path = prefix.clone().into_os_string();
            path.push(format!(".{end}"));
            PathBuf::from(path)
        });
        for path in [&private, &public] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(KeyFileError::there(path).into());
            }
        }
        let password = new_password()?;
        let (key, encrypted) = SigningKey::generate(&password)?;
        create(&private, &encrypted.to_pem(), 0o600)?;
        create(&public, &key.public_pem(), 0o644)?;
        let generated = Generated {
            private,
            public,
            fingerprint: key.fingerprint(),
        };
        output::print(&generated, global.output)?;
        Ok(())
    }
}

/// A new key pair.
#[derive(Serialize)]
struct Generated {
    private: PathBuf,
    public: PathBuf,
    /// SHA-256 of the public key.
    fingerprint: Digest,
}

impl Present for Generated {
    fn table(&self) -> String {
        pairs(&[
            ("private key", self.private.display().to_string()),
            ("public key", self.public.display().to_string()),
            ("fingerprint", self.fingerprint.to_string()),
        ])
    }
}

/// A key file that cannot be written, or a password that cannot be read.
#[derive(Debug, thiserror::Error)]
enum KeyFileError {
    #[error("Failed to write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("The password cannot be read")]
    Password(#[source] io::Error),
    #[error("The two passwords differ")]
    Differ,
}

impl KeyFileError {
    fn there(path: &Path) -> Self {
        KeyFileError::Write {
            path: path.to_owned(),
            source: io::ErrorKind::AlreadyExists.into(),
        }
    }
}

impl Diagnose for KeyFileError {
    fn code(&self) -> &'static str {
        match self {
            KeyFileError::Write { .. } => "unwritable-key",
            KeyFileError::Password(_) | KeyFileError::Differ => "no-password",
        }
    }

    fn class(&self) -> Class {
        match self {
            KeyFileError::Password(error) if error.kind() == io::ErrorKind::Interrupted => {
                Class::Interrupted
            }
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            KeyFileError::Write { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Some("keys are never overwritten: give another prefix".into())
            }
            _ => None,
        }
    }
}

/// Writes a file that must not exist yet.
fn create(path: &Path, text: &str, mode: u32) -> Result<(), KeyFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| KeyFileError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Warns if other users can read a private key.
pub(super) fn warn_of_readers(file: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(file) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            let file = file.display();
            output::warn(&format!(
                "other users can read `{file}`, and only its password protects the key: \
                 chmod 600 '{file}'"
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

/// Asks for the password of a new key.
fn new_password() -> Result<Secret, KeyFileError> {
    if let Some(password) = variable() {
        return Ok(password);
    }
    if !io::stdin().is_terminal() {
        return line().map(Secret::from).map_err(KeyFileError::Password);
    }
    let ask = |prompt| unseen_line(prompt).map_err(KeyFileError::Password);
    let password = Secret::from(ask("Password for the new private key: ")?);
    match Secret::from(ask("The same again: ")?) == password {
        true => Ok(password),
        false => Err(KeyFileError::Differ),
    }
}

/// Opens a key, asking for the password up to three times.
pub(super) fn opened(key: &EncryptedKey, file: &Path) -> Result<SigningKey, Failure> {
    if let Some(password) = variable() {
        return Ok(key.open(&password, file)?);
    }
    let is_terminal = io::stdin().is_terminal();
    let mut tries = 0;
    loop {
        tries += 1;
        let password = match is_terminal {
            true => unseen_line("Password of the private key: "),
            false => line(),
        };
        let password = Secret::from(password.map_err(KeyFileError::Password)?);
        let error = match key.open(&password, file) {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        let has_ended = password.is_empty() && !is_terminal;
        if !error.is_password() || tries == TRIES || has_ended {
            return Err(error.into());
        }
        output::warn(&error.to_string());
    }
}

fn variable() -> Option<Secret> {
    std::env::var(VARIABLE).ok().map(Secret::from)
}
