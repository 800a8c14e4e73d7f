//! What people and agents are told of a failure.

use std::io;

use super::{Failure, FetchError};
use crate::digest::Mismatch;
use crate::error::{Class, Diagnose};
use crate::fetch::http::HttpError;

impl Diagnose for FetchError {
    fn code(&self) -> &'static str {
        match &*self.failure {
            Failure::Http(error) => self.http_code(error),
            Failure::Manifest(error) => error.code(),
            Failure::Layout(error) => error.code(),
            Failure::Unpack(error) => error.code(),
            Failure::Offline => "offline",
            Failure::Mismatch { mismatch, .. } => match mismatch {
                Mismatch::Digest { .. } => "digest-mismatch",
                _ => "size-mismatch",
            },
            Failure::TooLarge { .. } => "too-large",
            Failure::PolicyText => "invalid-policy",
            Failure::Config(_) => "invalid-manifest",
            Failure::CoreModule => "core-module",
            Failure::NotWasm { .. } => "not-wasm",
            Failure::Text(_) => "invalid-text",
            Failure::File(error) if error.kind() == io::ErrorKind::NotFound => "not-found",
            Failure::File(_) | Failure::NotAFile => "unreadable-file",
            Failure::Disk(_) => "staging-failed",
            Failure::NoHost { .. } | Failure::Mirrors(_) => "invalid-config",
        }
    }

    fn class(&self) -> Class {
        match self.code() {
            "not-found" => Class::NotFound,
            "digest-mismatch" | "size-mismatch" => Class::Verification,
            "unreadable-file" | "staging-failed" => Class::Other,
            "invalid-config" => Class::Usage,
            _ => match &*self.failure {
                Failure::Http(
                    HttpError::Setup(_)
                    | HttpError::Certificate { .. }
                    | HttpError::Authority { .. },
                ) => Class::Other,
                Failure::Http(_) | Failure::Offline => Class::Network,
                _ => Class::InvalidComponent,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &*self.failure {
            Failure::Http(error) => return self.http_hint(error),
            Failure::Manifest(error) => return error.hint(),
            Failure::Layout(error) => return error.hint(),
            Failure::Unpack(error) => return error.hint(),
            Failure::Offline => {
                "leave out `--offline` (or WASSETTE_OFFLINE), or bring the component as a file \
                 or an OCI image layout (`oci-layout:///path:tag`)"
            }
            Failure::Mismatch { .. } => {
                "nothing was installed; the component may have been tampered with"
            }
            Failure::TooLarge { .. } => "nothing was installed; publish a smaller component",
            Failure::PolicyText | Failure::Config(_) => {
                "the artifact is damaged; ask its publisher, or try another version"
            }
            Failure::CoreModule => {
                "make a component of it: `wasm-tools component new module.wasm -o component.wasm` \
                 (with `--adapt` for modules that use WASI), or build for the target `wasm32-wasip2`"
            }
            Failure::NotWasm { .. } => "the address must lead to the `.wasm` file itself",
            Failure::Text(_) => "`.wat` files hold a component in the WebAssembly text format",
            Failure::File(error) if error.kind() == io::ErrorKind::NotFound => {
                "check the path; components from a registry start with `oci://`"
            }
            Failure::File(_) | Failure::NotAFile => {
                "give the path of a `.wasm` or `.wat` file that this user may read"
            }
            Failure::Disk(_) => "check space and permissions of the directory",
            Failure::NoHost { .. } => {
                "give one of its hosts the capability in `config.toml` or `hosts.toml`"
            }
            Failure::Mirrors(_) => "the keys of `hosts.toml` are listed in docs/configuration.md",
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let tried = self.tried.iter().map(|host| ("tried", host.clone()));
        let mut facts = self.difference();
        facts.extend(tried);
        facts
    }
}

impl FetchError {
    /// What was expected and what came.
    fn difference(&self) -> Vec<(&'static str, String)> {
        match &*self.failure {
            Failure::Mismatch { mismatch, .. } => match mismatch {
                Mismatch::Digest { expected, computed } => vec![
                    ("expected", expected.to_string()),
                    ("computed", computed.to_string()),
                ],
                Mismatch::Size { expected, computed } => vec![
                    ("expected", format!("{expected} bytes")),
                    ("computed", size(*expected, *computed)),
                ],
                Mismatch::TooLarge { .. } => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

/// A stream is stopped at the first byte too many, so more may have come.
fn size(expected: u64, computed: u64) -> String {
    if computed > expected {
        format!("{computed} bytes or more")
    } else {
        format!("{computed} bytes")
    }
}
