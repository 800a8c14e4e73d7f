//! The errors of compiling and calling components.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use super::engine::{APART, Tier};
use super::limits::LimitMet;
use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::schema::ExportPath;
use crate::schema::value::ValueError;
use crate::secret::Redactor;
use crate::store::StoreError;
use crate::text::Foreign;

/// Why a component has no code to run.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("The compiler `{}` could not be run", compiler.display())]
    Spawn {
        compiler: PathBuf,
        source: io::Error,
    },
    #[error("Cannot read or write `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("Cannot create a directory for the compiled code")]
    Staging(#[source] StoreError),
    #[error("The component does not compile: {message}")]
    Refused { tier: Tier, message: String },
    #[error("The {} compiler died ({status})", tier.name())]
    Crashed {
        tier: Tier,
        status: ExitStatus,
        /// The end of its error output.
        message: String,
    },
    #[error("Compiling was stopped after {} s", limit.as_secs())]
    Timeout { tier: Tier, limit: Duration },
    #[error("The component's file does not have the digest it was installed with")]
    Changed { expected: Digest },
    #[error("`{}` is no longer the version that is running", compiler.display())]
    OtherVersion { compiler: PathBuf },
    #[error("{}", link_message(import.as_deref(), message))]
    Link {
        /// The import that the host does not have, if wasmtime's error names one.
        import: Option<String>,
        message: String,
    },
    #[error("The compiled code cannot be loaded: {message}")]
    Load { message: String },
    #[error("Cannot create an engine on this machine: {message}")]
    Engine { message: String },
}

fn link_message(import: Option<&str>, message: &str) -> String {
    match import {
        Some(import) => format!("the component imports `{import}`, which is not provided"),
        None => format!("the component cannot be linked: {message}"),
    }
}

impl CompileError {
    pub(super) fn engine(source: wasmtime::Error) -> Self {
        CompileError::Engine {
            message: format!("{source:#}"),
        }
    }

    /// Whether compiling again would fail in the same way.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            CompileError::Refused { .. } | CompileError::Link { .. }
        )
    }
}

impl Diagnose for CompileError {
    fn code(&self) -> &'static str {
        match self {
            CompileError::Refused { .. } => "compile-refused",
            CompileError::Crashed { .. } => "compiler-crashed",
            CompileError::Timeout { .. } => "compile-timeout",
            CompileError::Changed { .. } => "digest-mismatch",
            CompileError::Link { .. } => "unknown-import",
            CompileError::Spawn { .. }
            | CompileError::OtherVersion { .. }
            | CompileError::Io { .. }
            | CompileError::Staging(_)
            | CompileError::Load { .. }
            | CompileError::Engine { .. } => "compile-failed",
        }
    }

    fn class(&self) -> Class {
        match self {
            CompileError::Refused { .. }
            | CompileError::Crashed { .. }
            | CompileError::Timeout { .. }
            | CompileError::Link { .. } => Class::InvalidComponent,
            CompileError::Changed { .. } => Class::Verification,
            CompileError::Spawn { .. }
            | CompileError::OtherVersion { .. }
            | CompileError::Io { .. }
            | CompileError::Staging(_)
            | CompileError::Load { .. }
            | CompileError::Engine { .. } => Class::Other,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            CompileError::Changed { .. } => "load the component again",
            CompileError::OtherVersion { .. } => "restart the server",
            CompileError::Link { .. } => {
                "components can import WASI 0.2, `wasi:http@0.2` and \
                 `wasi:config/store@0.2.0-draft`; build the component against these"
            }
            CompileError::Crashed { .. } | CompileError::Timeout { .. } => {
                "a component this hard to compile may be hostile; \
                 if you trust it, load it again with `--force-compile`"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            CompileError::Crashed { message, .. } if !message.is_empty() => {
                vec![("printed", message.clone())]
            }
            CompileError::Changed { expected } => vec![("expected", expected.to_string())],
            _ => Vec::new(),
        }
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("The component cannot be run")]
    Compile(#[source] Arc<CompileError>),
    #[error("The component exports no function `{export}`")]
    UnknownExport { export: ExportPath },
    #[error("The arguments do not fit the tool: {0}")]
    Arguments(ValueError),
    #[error("The tool trapped: {message}")]
    Trap {
        message: String,
        /// The end of the guest's standard error.
        stderr: Option<String>,
        /// `module!function`, innermost first, at most 20.
        backtrace: Vec<Foreign>,
        /// Whether the guest waits for something that can never happen.
        deadlock: bool,
    },
    #[error("The tool ended the component with exit code {status}")]
    Exit {
        status: i32,
        /// The end of the guest's standard error.
        stderr: Option<String>,
    },
    #[error(transparent)]
    Limit(LimitMet),
    #[error("The result does not match the tool's type: {message}")]
    InvalidResult { message: String },
    #[error(
        "The server's instance pool is full, and all {APART} slots outside the pool are in use"
    )]
    Busy,
    #[error("The call was not started: this client has too many unread answers")]
    NotBegun,
    #[error("The call ended, but its result was dropped: this client has too many unread answers")]
    ResultDropped,
    #[error("The call was cancelled")]
    Cancelled,
    #[error("The call failed inside the server: {message}")]
    Internal { message: String },
}

impl CallError {
    /// Removes secrets from all text that the guest could have influenced.
    pub(super) fn redact(&mut self, redactor: &Redactor) {
        match self {
            CallError::Trap {
                message, stderr, ..
            } => {
                redactor.clean(message);
                stderr.iter_mut().for_each(|text| redactor.clean(text));
            }
            CallError::Exit { stderr, .. } => {
                stderr.iter_mut().for_each(|text| redactor.clean(text));
            }
            CallError::InvalidResult { message } | CallError::Internal { message } => {
                redactor.clean(message);
            }
            // A backtrace only has names from the component's code.
            CallError::Compile(_)
            | CallError::UnknownExport { .. }
            | CallError::Arguments(_)
            | CallError::Limit(_)
            | CallError::Busy
            | CallError::NotBegun
            | CallError::ResultDropped
            | CallError::Cancelled => {}
        }
    }
}

impl Diagnose for CallError {
    fn code(&self) -> &'static str {
        match self {
            CallError::Compile(error) => error.code(),
            CallError::UnknownExport { .. } => "unknown-export",
            CallError::Arguments(_) => "invalid-arguments",
            CallError::Trap { .. } => "trap",
            CallError::Exit { .. } => "guest-exit",
            CallError::Limit(met) => met.code(),
            CallError::InvalidResult { .. } => "invalid-result",
            CallError::Busy => "busy",
            CallError::NotBegun | CallError::ResultDropped => "answers-unread",
            CallError::Cancelled => "cancelled",
            CallError::Internal { .. } => "internal",
        }
    }

    fn class(&self) -> Class {
        match self {
            CallError::Compile(error) => error.class(),
            CallError::UnknownExport { .. } => Class::NotFound,
            CallError::Arguments(_) => Class::Usage,
            CallError::Internal { .. } => Class::Other,
            _ => Class::Call,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            CallError::Compile(error) => return error.hint(),
            CallError::Arguments(_) => "the tool's input schema shows the expected arguments",
            CallError::Limit(met) => return Some(met.hint()),
            CallError::Trap { deadlock: true, .. } => {
                "the component waits for a future, a stream or a task of its own that nothing \
                 completes; report it to the component's author"
            }
            CallError::Busy => "try again when some calls have ended",
            CallError::NotBegun | CallError::ResultDropped => {
                "read the answers, then try again; `answer_memory` in section `[server]` of \
                 config.toml sets how many bytes may be unread"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            CallError::Compile(error) => error.facts(),
            CallError::Trap {
                stderr, backtrace, ..
            } => {
                let names: Vec<String> = backtrace.iter().map(Foreign::to_string).collect();
                let backtrace = (!names.is_empty()).then(|| names.join(NEXT_LINE));
                let backtrace = backtrace.map(|text| ("backtrace", text));
                said(stderr.as_deref()).chain(backtrace).collect()
            }
            CallError::Exit { stderr, .. } => said(stderr.as_deref()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Separates the lines of one fact, which is printed below the message.
const NEXT_LINE: &str = "\n    ";

/// Returns the guest's standard error, as a fact.
fn said(stderr: Option<&str>) -> impl Iterator<Item = (&'static str, String)> {
    let stderr = stderr.map(|text| ("stderr", text.replace('\n', NEXT_LINE)));
    stderr.into_iter()
}
