//! Why a package's repository is not found.

use std::io;
use std::path::PathBuf;

use crate::error::{Class, Diagnose};
use crate::text::Foreign;

/// The error of a package's lookup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    #[error("no registry is configured for packages of `{namespace}`")]
    NoRegistry { namespace: String },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is not a configuration of `wkg`", path.display())]
    Config {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    #[error("the packages of `{registry}` are not in an OCI registry but behind `{protocol}`")]
    Protocol { registry: String, protocol: Foreign },
    #[error("the description of the package registry `{registry}` is not usable: {reason}")]
    Description { registry: String, reason: String },
    #[error("`{repository}` is not there")]
    Absent { repository: String },
    #[error("`{repository}` has no such version")]
    NoVersion {
        repository: String,
        /// The highest versions that it has.
        versions: Vec<String>,
    },
}

impl Diagnose for PackageError {
    fn code(&self) -> &'static str {
        match self {
            PackageError::NoRegistry { .. } => "no-package-registry",
            PackageError::Read { .. } | PackageError::Config { .. } => "invalid-config",
            PackageError::Protocol { .. } => "unsupported-package-registry",
            PackageError::Description { .. } => "invalid-package-registry",
            PackageError::Absent { .. } | PackageError::NoVersion { .. } => "package-not-found",
        }
    }

    fn class(&self) -> Class {
        match self {
            PackageError::NoRegistry { .. }
            | PackageError::Read { .. }
            | PackageError::Config { .. }
            | PackageError::Protocol { .. } => Class::Usage,
            PackageError::Description { .. } => Class::Network,
            PackageError::Absent { .. } | PackageError::NoVersion { .. } => Class::NotFound,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            PackageError::NoRegistry { namespace } => format!(
                "name it in the configuration of wkg (`~/.config/wasm-pkg/config.toml`), below \
                 `[namespace_registries]`: `{namespace} = \"registry.example\"`; a file is named by \
                 its path, as in `./{namespace}:…`"
            ),
            PackageError::Read { .. } => "check its permissions".into(),
            PackageError::Config { .. } => "`wkg config` shows what it should be".into(),
            PackageError::Protocol { .. } => {
                "name the artifact in its OCI registry, as `oci://…`".into()
            }
            PackageError::Description { registry, .. } => {
                format!("tell the operator of `{registry}`, or name the artifact as `oci://…`")
            }
            PackageError::Absent { .. } => {
                "check the name; if it is private, run `wassette login` for its registry".into()
            }
            PackageError::NoVersion { versions, .. } if versions.is_empty() => {
                "none of its tags is a version such as `1.2.0`".into()
            }
            PackageError::NoVersion { versions, .. } => {
                format!("there are `{}`", versions.join("`, `"))
            }
        })
    }
}
