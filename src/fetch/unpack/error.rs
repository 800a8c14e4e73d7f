//! Errors of unpacking a layer.

use std::io;

use crate::error::{Class, Diagnose};

/// A packed layer that is damaged or not acceptable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    #[error("the layer cannot be unpacked")]
    Damaged(#[source] io::Error),
    #[error("the layer unpacks to more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the layer unpacks to more than {ratio} times its size")]
    Bomb { ratio: u64 },
    #[error("the archive has more than {limit} entries")]
    Entries { limit: usize },
    #[error("a header of the archive is refused: {0}")]
    Header(&'static str),
    #[error("`{0}` in the archive is a link")]
    Link(String),
    #[error("`{0}` in the archive is neither a file nor a directory")]
    Special(String),
    #[error("`{0}` in the archive leads out of it")]
    Outside(String),
    #[error("the archive holds more than one `.wasm` file")]
    Several,
    #[error("the archive holds no `.wasm` file")]
    NoComponent,
}

impl UnpackError {
    /// Whether a limit was exceeded, so that no more must be read.
    pub(in crate::fetch) fn is_limit(&self) -> bool {
        matches!(
            self,
            UnpackError::TooLarge { .. } | UnpackError::Bomb { .. } | UnpackError::Entries { .. }
        )
    }
}

impl Diagnose for UnpackError {
    fn code(&self) -> &'static str {
        match self {
            UnpackError::TooLarge { .. } => "too-large",
            UnpackError::Bomb { .. } => "archive-bomb",
            _ => "invalid-archive",
        }
    }

    fn class(&self) -> Class {
        Class::InvalidComponent
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            UnpackError::Damaged(_) => {
                "the artifact is damaged; ask its publisher, or try another version"
            }
            UnpackError::TooLarge { .. } => "nothing was installed; publish a smaller component",
            UnpackError::Bomb { .. } => {
                "nothing was installed; publish the component without compression"
            }
            _ => {
                "an image must hold one `.wasm` file and no links; \
                 better publish the component as an artifact, with `wkg oci push`"
            }
        };
        Some(hint.to_owned())
    }
}
