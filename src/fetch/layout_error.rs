//! Errors of reading an OCI image layout.

use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::{Class, Diagnose};

/// A directory that cannot be read as an OCI image layout, or lacks the
/// artifact.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    #[error("the directory is not an OCI image layout: there is no readable `oci-layout` in it")]
    Unmarked,
    #[error("the layout is of a version that is not known")]
    Version,
    #[error("`{file}` cannot be read")]
    Json {
        file: &'static str,
        source: serde_json::Error,
    },
    #[error("the layout is empty")]
    Empty,
    #[error("the layout has no `{0}`; its tags: {1}")]
    UnknownTag(String, String),
    #[error("the layout has `{0}` more than once")]
    TagTwice(String),
    #[error("the layout has several artifacts; their tags: {0}")]
    Several(String),
    #[error("the layout lacks the blob {0}")]
    Missing(Digest),
    #[error("`{}` leads out of the layout", .0.display())]
    Outside(PathBuf),
}

impl LayoutError {
    pub(super) fn json(file: &'static str, source: serde_json::Error) -> Self {
        LayoutError::Json { file, source }
    }
}

impl Diagnose for LayoutError {
    fn code(&self) -> &'static str {
        match self {
            LayoutError::UnknownTag(..) | LayoutError::Missing(_) | LayoutError::Empty => {
                "not-found"
            }
            _ => "invalid-layout",
        }
    }

    fn class(&self) -> Class {
        match self.code() {
            "not-found" => Class::NotFound,
            _ => Class::InvalidComponent,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            LayoutError::UnknownTag(..) | LayoutError::Several(_) => {
                "name one of the tags: `oci-layout:///path:tag`"
            }
            LayoutError::Unmarked | LayoutError::Version => {
                "make one with `skopeo copy docker://host/repository:tag oci:/path:tag`"
            }
            LayoutError::Outside(_) => "copy the file into the layout; links out are not followed",
            _ => "the layout is damaged or was not copied whole; make it again",
        };
        Some(hint.to_owned())
    }
}
