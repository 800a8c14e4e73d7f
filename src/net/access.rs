//! Connection settings of one host.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::DialTimeout;

/// Certificates and connect timeout of one host. The default adds nothing to
/// the settings for all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// PEM files of certificate authorities trusted besides the system's.
    pub ca: Vec<PathBuf>,
    /// The client certificate for mutual TLS.
    pub client_cert: Option<Certificate>,
    /// Time limit for establishing a connection; replaces the general one.
    pub dial_timeout: Option<DialTimeout>,
}

/// PEM files of a certificate chain and its private key; may be the same file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "Spelling")]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a PEM file, or a pair of files: [certificate, key]"
)]
enum Spelling {
    One(PathBuf),
    Two(PathBuf, PathBuf),
}

impl From<Spelling> for Certificate {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::One(both) => Certificate::in_one_file(both),
            Spelling::Two(chain, key) => Certificate { chain, key },
        }
    }
}

impl Certificate {
    pub(crate) fn in_one_file(both: PathBuf) -> Self {
        Certificate {
            chain: both.clone(),
            key: both,
        }
    }
}

impl Access {
    pub(crate) fn names_certificates(&self) -> bool {
        !self.ca.is_empty() || self.client_cert.is_some()
    }

    pub(crate) fn relative_to(&mut self, directory: &Path) {
        for ca in &mut self.ca {
            *ca = directory.join(&*ca);
        }
        if let Some(certificate) = &mut self.client_cert {
            certificate.chain = directory.join(&certificate.chain);
            certificate.key = directory.join(&certificate.key);
        }
    }
}
