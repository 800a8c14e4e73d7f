//! How one host is reached.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::DialTimeout;

/// Certificates and patience for one host; by default those for all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// PEM files of authorities trusted beside those of the system.
    pub ca: Vec<PathBuf>,
    /// What this program shows of itself.
    pub client_cert: Option<Certificate>,
    /// How long a connection may take to come up.
    pub dial_timeout: Option<DialTimeout>,
}

/// PEM files of a certificate chain and of its key, which may be in one file.
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
