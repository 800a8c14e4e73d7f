//! Errors of fetching a component.

mod diagnose;
mod tags;

use std::error::Error;
use std::fmt;
use std::io;

use http::StatusCode;

use super::layout_error::LayoutError;
use super::plan::InvalidArtifact;
use super::sink::Stopped;
use super::unpack::UnpackError;
use crate::digest::Mismatch;
use crate::file::Unusable;
use crate::net;
use crate::reference::Reference;
use crate::registry::{self, HostFault, InvalidManifest, Tried};

/// A failed fetch, with its reference.
#[derive(Debug)]
pub struct FetchError {
    reference: Reference,
    kind: Box<ErrorKind>,
    /// Each host and its error, if several were asked.
    tried: Vec<String>,
    /// The repository's tags, if the requested one is missing and the tags are known.
    tags: Vec<String>,
}

/// An error before the reference has been added.
pub(super) type Failed = Tried<ErrorKind>;

/// The cause of a failed fetch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    #[error(transparent)]
    Net(#[from] net::Error),
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error(transparent)]
    Artifact(#[from] InvalidArtifact),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The source needs the network, which is disabled.
    #[error("the network is off")]
    Offline,
    /// `what` differs from its descriptor.
    #[error("{what} does not match: {mismatch}")]
    Mismatch { what: String, mismatch: Mismatch },
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("the policy layer is not UTF-8 text")]
    PolicyText,
    #[error("the config does not match its media type")]
    Config(#[source] serde_json::Error),
    /// A core WebAssembly module instead of a component.
    #[error("it is a core module")]
    CoreModule,
    #[error("{kind}")]
    NotWasm {
        /// A sentence about what the file seems to be, without quoting its
        /// bytes.
        kind: &'static str,
    },
    #[error("the text does not parse")]
    Text(#[source] wat::Error),
    #[error(transparent)]
    File(io::Error),
    #[error("it is not a regular file")]
    NotAFile,
    /// Writing to the staging directory failed.
    #[error("cannot write to the staging directory")]
    Disk(#[source] io::Error),
}

impl HostFault for ErrorKind {
    fn is_of_one_host(&self) -> bool {
        match self {
            ErrorKind::Net(net::Error::Offline { .. }) => false,
            ErrorKind::Registry(error) => error.is_of_one_host(),
            ErrorKind::Net(_) | ErrorKind::Mismatch { .. } | ErrorKind::TooLarge { .. } => true,
            // A limit is exceeded before the digest is checked, so another host
            // may send the right content.
            ErrorKind::Unpack(error) => error.is_limit(),
            _ => false,
        }
    }

    fn is_of_host(&self) -> bool {
        self.net().is_some_and(net::Error::is_of_host)
    }

    fn is_wrong_content(&self) -> bool {
        self.mismatch().is_some()
    }
}

impl ErrorKind {
    pub(super) fn file(error: io::Error) -> Self {
        match Unusable::of(&error) {
            Some(Unusable::NotRegular) => ErrorKind::NotAFile,
            _ => ErrorKind::File(error),
        }
    }

    pub(super) fn disk(error: io::Error) -> Self {
        ErrorKind::Disk(error)
    }

    pub(super) fn too_large(what: impl Into<String>, limit: u64) -> Self {
        ErrorKind::TooLarge {
            what: what.into(),
            limit,
        }
    }

    pub(super) fn stopped(stopped: Stopped, what: &str) -> Self {
        match stopped {
            Stopped::Mismatch(Mismatch::TooLarge { limit }) => ErrorKind::too_large(what, limit),
            Stopped::Mismatch(mismatch) => ErrorKind::Mismatch {
                what: what.to_owned(),
                mismatch,
            },
            Stopped::Disk(error) => ErrorKind::disk(error),
            Stopped::Content(kind) => kind,
        }
    }

    /// The network error, if the cause is one.
    pub fn net(&self) -> Option<&net::Error> {
        match self {
            ErrorKind::Net(error) => Some(error),
            ErrorKind::Registry(error) => error.net(),
            _ => None,
        }
    }

    /// The name of the content that differs from its descriptor, and how it
    /// differs.
    fn mismatch(&self) -> Option<(&str, &Mismatch)> {
        match self {
            ErrorKind::Mismatch { what, mismatch }
            | ErrorKind::Registry(registry::Error::Mismatch { what, mismatch }) => {
                Some((what, mismatch))
            }
            _ => None,
        }
    }
}

impl From<InvalidManifest> for ErrorKind {
    fn from(error: InvalidManifest) -> Self {
        ErrorKind::Registry(error.into())
    }
}

impl<E: Into<ErrorKind>> From<E> for Failed {
    fn from(error: E) -> Self {
        Tried {
            error: error.into(),
            tried: Vec::new(),
        }
    }
}

impl From<Tried<registry::Error>> for Failed {
    fn from(failed: Tried<registry::Error>) -> Self {
        Tried {
            error: failed.error.into(),
            tried: failed.tried,
        }
    }
}

impl Failed {
    pub(super) fn of(self, reference: &Reference) -> FetchError {
        FetchError {
            reference: reference.clone(),
            kind: Box::new(self.error),
            tried: self.tried,
            tags: Vec::new(),
        }
    }
}

impl FetchError {
    /// The same error with the tags that the repository has.
    pub(super) fn with_tags(self, tags: Vec<String>) -> Self {
        FetchError { tags, ..self }
    }

    /// Whether the host answered that it does not have it.
    pub(super) fn is_absent(&self) -> bool {
        matches!(
            self.kind.net(),
            Some(net::Error::Refused { status, .. }) if *status == StatusCode::NOT_FOUND
        )
    }

    /// The reference that was fetched.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The cause.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = self.reference.shown();
        match (&*self.kind, self.kind.mismatch()) {
            (_, Some((what, Mismatch::Digest { .. }))) => {
                write!(f, "Digest mismatch in {what} of `{reference}`")
            }
            (_, Some((what, _))) => write!(f, "Size mismatch in {what} of `{reference}`"),
            (ErrorKind::CoreModule, _) => {
                write!(f, "`{reference}` is a core module, not a component")
            }
            (ErrorKind::NotWasm { .. }, _) => write!(f, "`{reference}` is not WebAssembly"),
            _ => match &self.reference {
                Reference::Oci(_) => write!(f, "Failed to pull `{reference}`"),
                Reference::Https(_) => write!(f, "Failed to download `{reference}`"),
                Reference::File(path) => write!(f, "Failed to read `{}`", path.display()),
                Reference::Layout(_) => write!(f, "Failed to read `{reference}`"),
                Reference::Package(_) => write!(f, "Failed to find the package `{reference}`"),
            },
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // If several hosts failed, the facts give the error of each. For a
        // mismatch, message and facts are complete.
        let said = !self.tried.is_empty()
            || self.kind.mismatch().is_some()
            || matches!(*self.kind, ErrorKind::CoreModule);
        (!said).then_some(&*self.kind as &(dyn Error + 'static))
    }
}
