//! Errors of describing a component.

use crate::error::{Class, Diagnose};

/// A component that cannot be loaded, detected without running it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Neither a module nor a component.
    #[error("This is not WebAssembly: {reason}")]
    NotWasm { reason: String },
    /// A core module, which has no types for schemas.
    #[error("This is a core WebAssembly module, not a component")]
    CoreModule,
    /// A binary WIT package: types without code.
    #[error("This is a WIT package, not a component: it holds types and no code")]
    WitPackage,
    /// The validator rejected the bytes.
    #[error("The component is not valid: {reason} (at offset {offset:#x})")]
    Invalid {
        reason: String,
        /// Offset in bytes.
        offset: usize,
    },
    /// Valid, but its imports or exports cannot be expressed in WIT.
    #[error("The exports of the component cannot be described: {reason}")]
    Undescribable { reason: String },
    /// Imports that the runtime does not provide.
    #[error("The component has imports that this runtime does not provide: {}", quoted(.names))]
    UnknownImports { names: Vec<String> },
    /// No function can be offered as a tool.
    #[error("The component has no function that can be called: {reason}")]
    NoTools { reason: String },
}

impl Diagnose for SchemaError {
    fn code(&self) -> &'static str {
        match self {
            SchemaError::NotWasm { .. } => "not-wasm",
            SchemaError::CoreModule => "core-module",
            SchemaError::WitPackage => "wit-package",
            SchemaError::Invalid { .. } => "invalid-component",
            SchemaError::Undescribable { .. } => "undescribable-component",
            SchemaError::UnknownImports { .. } => "unknown-import",
            SchemaError::NoTools { .. } => "no-tools",
        }
    }

    fn class(&self) -> Class {
        Class::InvalidComponent
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            SchemaError::UnknownImports { names } if names.iter().all(|name| is_wasi_0_3(name)) => {
                "it is built for WASI 0.3, which this runtime does not have yet; rebuild it for \
                 WASI 0.2, or wait for a release that has it"
            }
            SchemaError::NotWasm { .. } => {
                "a component starts with the bytes 00 61 73 6d 0d 00 01 00"
            }
            SchemaError::CoreModule => {
                "convert it with `wasm-tools component new`, or build for `wasm32-wasip2`"
            }
            SchemaError::WitPackage => "build the code that implements it, and load that",
            SchemaError::Invalid { .. } => {
                "the file may be cut short or damaged, or use a proposal that is not enabled"
            }
            SchemaError::Undescribable { .. } => {
                "export functions, interfaces and types only, not modules or components"
            }
            SchemaError::UnknownImports { .. } => {
                "the runtime provides wasi:{io,clocks,random,cli,filesystem,sockets,http}@0.2 and \
                 wasi:config/store@0.2.0-draft; compose it with a component that exports the rest"
            }
            SchemaError::NoTools { .. } => {
                "export a function whose types are plain values: no resources, streams or futures"
            }
        };
        Some(hint.to_owned())
    }
}

/// Whether an import is an interface of WASI 0.3 or of a draft of it.
fn is_wasi_0_3(import: &str) -> bool {
    let version = import
        .strip_prefix("wasi:")
        .and_then(|name| name.split_once('@'));
    version.is_some_and(|(_, version)| version.starts_with("0.3."))
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
