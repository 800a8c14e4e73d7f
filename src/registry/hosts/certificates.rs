//! [Docker's certificate directories][docker], one per registry, which
//! containerd reads if there is no `hosts.toml`: `*.crt` files are certificate
//! authorities, and `NAME.cert` with `NAME.key` is a client certificate.
//!
//! [docker]: https://docs.docker.com/engine/security/certificates/

use std::io;
use std::path::{Path, PathBuf};

use super::InvalidHosts;
use crate::net::{Access, Certificate};

/// Reads the certificates of a registry's directory.
pub(super) fn read(directory: &Path) -> Result<Access, InvalidHosts> {
    let files = files(directory).map_err(|source| InvalidHosts::Read {
        path: directory.to_owned(),
        source,
    })?;
    let of_kind = |kind: &'static str| {
        let of_kind = move |file: &&PathBuf| file.extension().is_some_and(|e| e == kind);
        files.iter().filter(of_kind).cloned()
    };
    let mut pairs = Vec::new();
    for chain in of_kind("cert") {
        let key = chain.with_extension("key");
        if !files.contains(&key) {
            return Err(InvalidHosts::NoKey { chain, key });
        }
        pairs.push(Certificate { chain, key });
    }
    if pairs.len() > 1 {
        let directory = directory.display();
        tracing::warn!("only the first client certificate in `{directory}` is used");
    }
    Ok(Access {
        ca: of_kind("crt").collect(),
        client_cert: pairs.into_iter().next(),
        dial_timeout: None,
    })
}

/// The files sorted by name; empty if the directory does not exist.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let files: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = files?;
    files.sort();
    Ok(files)
}
