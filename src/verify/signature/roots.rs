//! Trust roots: the trusted certificate authorities, logs and timestamp authorities.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sigstore_verify::Verifier;
use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};

use crate::error::{Class, Diagnose};
use crate::file::{Links, read_text};
use crate::text::without_bom;

/// Largest trust root file, in bytes.
const MAX_ROOT: u64 = 4 << 20;

/// The public root, which is read once, and other roots, which are read at each use.
#[derive(Default)]
pub struct Roots {
    public: OnceLock<Option<Root>>,
}

/// A trust root that was read.
#[derive(Clone)]
pub struct Root(pub(super) Arc<Verifier>);

/// A trust root that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no trust root", file.display())]
pub struct InvalidRoot {
    file: PathBuf,
    source: RootFault,
}

#[derive(Debug, thiserror::Error)]
enum RootFault {
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("it is no `trusted_root.json`: {0}")]
    Format(String),
}

impl Diagnose for InvalidRoot {
    fn code(&self) -> &'static str {
        "invalid-trusted-root"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            "`cosign trusted-root create`, or the operator of the Sigstore instance, gives such \
             a file"
                .into(),
        )
    }
}

impl Roots {
    /// Sigstore's public root, which is part of this program, or the root in `file`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or used.
    pub fn get(&self, file: Option<&Path>) -> Result<Root, InvalidRoot> {
        let invalid = |file: &Path, source| InvalidRoot {
            file: file.to_owned(),
            source,
        };
        match file {
            None => {
                let public = self
                    .public
                    .get_or_init(|| parse(SIGSTORE_PRODUCTION_TRUSTED_ROOT).ok());
                // A test reads it, so it is valid.
                public.clone().ok_or_else(|| {
                    let fault = RootFault::Format("it was not built in".into());
                    invalid(Path::new("trusted_root.json"), fault)
                })
            }
            Some(file) => read_text(file, MAX_ROOT, Links::Follow)
                .map_err(RootFault::from)
                .and_then(|text| parse(&text).map_err(RootFault::Format))
                .map_err(|fault| invalid(file, fault)),
        }
    }
}

fn parse(text: &str) -> Result<Root, String> {
    let root = TrustedRoot::from_json(without_bom(text)).map_err(|error| error.to_string())?;
    let verifier = Verifier::new(&root).map_err(|error| error.to_string())?;
    Ok(Root(Arc::new(verifier)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_root_can_be_used() {
        Roots::default().get(None).unwrap();
    }

    #[test]
    fn what_is_no_root_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("root.json");
        for text in ["", "[]", "{\"mediaType\":1}"] {
            std::fs::write(&file, text).unwrap();
            let error = Roots::default().get(Some(&file)).err().expect(text);
            assert_eq!(error.code(), "invalid-trusted-root");
        }
        let missing = directory.path().join("missing.json");
        assert!(Roots::default().get(Some(&missing)).is_err());
    }
}
