//! Error codes, hints and facts of a [`FetchError`].

use std::io;

use super::{ErrorKind, FetchError, tags};
use crate::digest::Mismatch;
use crate::error::{Class, Diagnose};
use crate::reference::Reference;

impl FetchError {
    /// The code and the class of the error.
    fn diagnosis(&self) -> (&'static str, Class) {
        match &*self.kind {
            ErrorKind::Net(error) => error.diagnosis(self.failed()),
            ErrorKind::Registry(error) => error.diagnosis(self.failed()),
            ErrorKind::Artifact(error) => (error.code(), error.class()),
            ErrorKind::Layout(error) => (error.code(), error.class()),
            ErrorKind::Unpack(error) => (error.code(), error.class()),
            ErrorKind::Offline => ("offline", Class::Network),
            ErrorKind::Mismatch { mismatch, .. } => mismatch.diagnosis(),
            ErrorKind::TooLarge { .. } => ("too-large", Class::InvalidComponent),
            ErrorKind::PolicyText => ("invalid-policy", Class::InvalidComponent),
            ErrorKind::Config(_) => ("invalid-manifest", Class::InvalidComponent),
            ErrorKind::CoreModule => ("core-module", Class::InvalidComponent),
            ErrorKind::NotWasm { .. } => ("not-wasm", Class::InvalidComponent),
            ErrorKind::Text(_) => ("invalid-text", Class::InvalidComponent),
            ErrorKind::File(error) if error.kind() == io::ErrorKind::NotFound => {
                ("not-found", Class::NotFound)
            }
            ErrorKind::File(_) | ErrorKind::NotAFile => ("unreadable-file", Class::Other),
            ErrorKind::Disk(_) => ("staging-failed", Class::Other),
        }
    }

    /// The code of failures that have none of their own.
    fn failed(&self) -> &'static str {
        match self.reference {
            Reference::Oci(_) | Reference::Package(_) => "oci-pull-failed",
            Reference::Https(_) => "download-failed",
            Reference::File(_) | Reference::Layout(_) => "unreadable-file",
        }
    }
}

impl Diagnose for FetchError {
    fn code(&self) -> &'static str {
        self.diagnosis().0
    }

    fn class(&self) -> Class {
        self.diagnosis().1
    }

    fn hint(&self) -> Option<String> {
        if let (Reference::Oci(oci), false) = (&self.reference, self.tags.is_empty()) {
            return Some(tags::hint(oci.tag().unwrap_or_default(), &self.tags));
        }
        let hint = match &*self.kind {
            ErrorKind::Net(error) => return error.hint(),
            ErrorKind::Registry(error) => {
                let registry = match &self.reference {
                    Reference::Oci(oci) => oci.registry(),
                    // From these sources only documents are read, whose hints do not mention a
                    // registry.
                    _ => "",
                };
                return error.hint(registry);
            }
            ErrorKind::Artifact(error) => return error.hint(),
            ErrorKind::Layout(error) => return error.hint(),
            ErrorKind::Unpack(error) => return error.hint(),
            ErrorKind::Offline => {
                "leave out `--offline` (or WASSETTE_OFFLINE), or bring the component as a file \
                 or an OCI image layout (`oci-layout:///path:tag`)"
            }
            ErrorKind::Mismatch { mismatch, .. } => mismatch.hint(),
            ErrorKind::TooLarge { .. } => "nothing was installed; publish a smaller component",
            ErrorKind::PolicyText | ErrorKind::Config(_) => {
                "the artifact is damaged; ask its publisher, or try another version"
            }
            ErrorKind::CoreModule => {
                "make a component of it: `wasm-tools component new module.wasm -o component.wasm` \
                 (with `--adapt` for modules that use WASI), or build for the target `wasm32-wasip2`"
            }
            ErrorKind::NotWasm { .. } => "the address must lead to the `.wasm` file itself",
            ErrorKind::Text(_) => "`.wat` files hold a component in the WebAssembly text format",
            ErrorKind::File(error) if error.kind() == io::ErrorKind::NotFound => {
                "check the path; components from a registry start with `oci://`"
            }
            ErrorKind::File(_) | ErrorKind::NotAFile => {
                "give the path of a `.wasm` or `.wat` file that this user may read"
            }
            ErrorKind::Disk(_) => "check space and permissions of the directory",
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let tried = self.tried.iter().map(|host| ("tried", host.clone()));
        let mut facts = self.difference();
        if !self.tags.is_empty() {
            facts.push(("tags", tags::listed(&self.tags)));
        }
        facts.extend(tried);
        facts
    }
}

impl FetchError {
    /// The expected and the computed digest or size.
    fn difference(&self) -> Vec<(&'static str, String)> {
        match self.kind.mismatch() {
            Some((_, Mismatch::Digest { expected, computed })) => vec![
                ("expected", expected.to_string()),
                ("computed", computed.to_string()),
            ],
            Some((_, Mismatch::Size { expected, computed })) => vec![
                ("expected", format!("{expected} bytes")),
                ("computed", size(*expected, *computed)),
            ],
            _ => Vec::new(),
        }
    }
}

/// Reading stops at the first excess byte, so the stream may be longer.
fn size(expected: u64, computed: u64) -> String {
    if computed > expected {
        format!("{computed} bytes or more")
    } else {
        format!("{computed} bytes")
    }
}
