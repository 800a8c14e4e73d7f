//! Why a component could not be fetched.

mod diagnose;
mod http;

use std::error::Error;
use std::fmt;
use std::io;

use super::hosts::{Capability, InvalidHosts};
use super::http::HttpError;
use super::oci::{InvalidManifest, LayoutError};
use super::sink::Stopped;
use super::unpack::UnpackError;
use crate::digest::Mismatch;
use crate::reference::Reference;

/// A failure, and the reference it concerns.
#[derive(Debug)]
pub struct FetchError {
    reference: Reference,
    failure: Box<Failure>,
    /// Each host asked and why it failed, where there was more than one.
    tried: Vec<String>,
}

/// A failure on its way to whoever knows the reference.
#[derive(Debug)]
pub(super) struct Failed {
    failure: Failure,
    /// As in [`FetchError`].
    tried: Vec<String>,
}

/// A host that was asked and failed.
#[derive(Debug)]
pub(super) struct Passed {
    /// `host[:port]`.
    pub host: String,
    pub is_upstream: bool,
    pub failure: Failure,
}

/// What went wrong with a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The network is needed, and off.
    #[error("the network is off")]
    Offline,
    /// `what` differs from its descriptor.
    #[error("{what} does not match: {mismatch}")]
    Mismatch { what: String, mismatch: Mismatch },
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("the policy layer is not UTF-8 text")]
    PolicyText,
    #[error("the config is not what its media type says")]
    Config(#[source] serde_json::Error),
    /// A module of the core specification, not a component.
    #[error("it is a core module")]
    CoreModule,
    #[error("it starts with \"{start}\"")]
    NotWasm {
        /// The first bytes, escaped.
        start: String,
    },
    #[error("no host may be asked {capability} of `{registry}`")]
    NoHost {
        registry: String,
        capability: Capability,
    },
    #[error(transparent)]
    Mirrors(#[from] InvalidHosts),
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

impl Failure {
    /// Whether another host may do better: what it sends is the same wherever
    /// its digest is right.
    pub(super) fn is_of_one_host(&self) -> bool {
        match self {
            Failure::Http(HttpError::Offline { .. }) => false,
            Failure::Http(_) | Failure::Mismatch { .. } | Failure::Manifest(_) => true,
            // Met before the digest was known.
            Failure::Unpack(error) => error.is_limit(),
            Failure::TooLarge { .. } => true,
            _ => false,
        }
    }

    pub(super) fn file(error: io::Error) -> Self {
        Failure::File(error)
    }

    pub(super) fn disk(error: io::Error) -> Self {
        Failure::Disk(error)
    }

    pub(super) fn too_large(what: impl Into<String>, limit: u64) -> Self {
        Failure::TooLarge {
            what: what.into(),
            limit,
        }
    }

    pub(super) fn mismatch(what: &str, mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::TooLarge { limit } => Failure::too_large(what, limit),
            mismatch => Failure::Mismatch {
                what: what.to_owned(),
                mismatch,
            },
        }
    }

    /// Whether a body began and did not come to its end.
    pub(super) fn is_of_body(&self) -> bool {
        matches!(self, Failure::Http(error) if error.is_of_body())
    }

    pub(super) fn stopped(stopped: Stopped, what: &str) -> Self {
        match stopped {
            Stopped::Mismatch(mismatch) => Failure::mismatch(what, mismatch),
            Stopped::Disk(error) => Failure::disk(error),
            Stopped::Content(failure) => failure,
        }
    }
}

impl<E: Into<Failure>> From<E> for Failed {
    fn from(failure: E) -> Self {
        Failed {
            failure: failure.into(),
            tried: Vec::new(),
        }
    }
}

impl Failed {
    /// What the hosts say together: the registry itself has the word, wherever
    /// it stands, and the last of them where it was not asked.
    pub fn of_hosts(mut earlier: Vec<Passed>, last: Passed) -> Self {
        if earlier.is_empty() {
            return last.failure.into();
        }
        let upstream = earlier.iter().position(|one| one.is_upstream);
        earlier.push(last);
        let tried = earlier.iter().map(Passed::to_string).collect();
        let speaker = upstream.unwrap_or(earlier.len() - 1);
        Failed {
            failure: earlier.swap_remove(speaker).failure,
            tried,
        }
    }

    pub fn of(self, reference: &Reference) -> FetchError {
        FetchError {
            reference: reference.clone(),
            failure: Box::new(self.failure),
            tried: self.tried,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl fmt::Display for Passed {
    /// The host and the whole reason, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.failure)?;
        let mut source = self.failure.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl FetchError {
    /// What was to be fetched.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// What went wrong with it.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = self.reference.shown();
        match &*self.failure {
            Failure::Mismatch { what, mismatch } => match mismatch {
                Mismatch::Digest { .. } => write!(f, "Digest mismatch in {what} of `{reference}`"),
                _ => write!(f, "Size mismatch in {what} of `{reference}`"),
            },
            Failure::CoreModule => write!(f, "`{reference}` is a core module, not a component"),
            Failure::NotWasm { .. } => write!(f, "`{reference}` is not WebAssembly"),
            _ => match &self.reference {
                Reference::Oci(_) => write!(f, "Failed to pull `{reference}`"),
                Reference::Https(_) => write!(f, "Failed to download `{reference}`"),
                Reference::File(path) => write!(f, "Failed to read `{}`", path.display()),
                Reference::Layout(_) => write!(f, "Failed to read `{reference}`"),
            },
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.failure {
            // Each host has a reason, given with the facts.
            _ if !self.tried.is_empty() => None,
            // The message, with its facts, says it all.
            Failure::Mismatch { .. } | Failure::CoreModule => None,
            failure => Some(failure),
        }
    }
}
