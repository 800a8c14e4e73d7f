use std::path::PathBuf;

use clap::Args;

use crate::publish::EncryptedKey;
use crate::service::{Formats, Signed};

use super::authorities::AuthorityArgs;
use super::credentials::CredentialArgs;
use super::key::{opened, warn_of_readers};
use super::output::{self, Present};
use super::table::{listed, pairs};
use super::{Failure, Global, Opening, block_on, parse_source};

/// Sign an artifact in a registry, or a file
///
/// The signature of an artifact is stored in its registry, as a Sigstore bundle that
/// refers to it; that of a file beside it, as FILE.sigstore.json. No transparency log
/// learns of it.
#[derive(Args)]
#[command(after_help = "\
The password of the key is read from COSIGN_PASSWORD, else asked for on a terminal,
else read from standard input, one attempt a line.

Examples:
  wassette sign oci://ghcr.io/acme/weather:1.2 --key acme.key
  wassette sign ./weather.wasm --key acme.key
  wassette verify oci://ghcr.io/acme/weather:1.2 --key acme.pub")]
pub struct Sign {
    /// oci:// or file://, a path or a catalog name
    #[arg(value_name = "SOURCE")]
    source: String,

    /// File of the private key, as `wassette key generate` and cosign write it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Also sign in cosign's first format, under the tag sha256-….sig
    #[arg(long)]
    legacy: bool,

    /// Accepted for commands that were written for cosign; nothing is asked
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Sign {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let reference = parse_source(&self.source, global)?.reference;
        let service = global.open(Opening {
            given: self.credentials.given(&reference)?,
            ca: self.authorities.ca,
            ..Opening::default()
        })?;
        let encrypted = EncryptedKey::read(&self.key)?;
        warn_of_readers(&self.key);
        let key = opened(&encrypted, &self.key)?;
        let formats = match self.legacy {
            true => Formats::BundleAndTag,
            false => Formats::Bundle,
        };
        let sign = async { Ok(service.sign(&reference, key, formats).await?) };
        output::print(&block_on(sign)?, global.output)?;
        Ok(())
    }
}

impl Present for Signed {
    fn table(&self) -> String {
        pairs(&[
            ("signed", self.reference.to_string()),
            ("digest", self.digest.to_string()),
            ("key", self.key.to_string()),
            ("stored as", listed(&self.stored)),
        ])
    }
}
