//! What an error says beyond its message, and how an error is shown.
//!
//! Every stage has its own `thiserror` enum; this module holds no domain
//! variants. A message says *what*, the source chain says *why*, and the hint
//! says *what to do next*.

use std::error::Error;
use std::fmt;

use serde::Serialize;

/// The classes of failure a script can tell apart by exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Anything without a class of its own.
    Other,
    /// The command line, or an argument of a tool, is wrong.
    Usage,
    /// A component, tool, file or artifact does not exist.
    NotFound,
    /// A host could not be reached, or refused.
    Network,
    /// Bytes differ from what was promised, or are not trusted.
    Verification,
    /// The bytes are not a component this program can run.
    InvalidComponent,
    /// The component ran and failed: an error value, a trap or a limit.
    Call,
}

impl Class {
    /// The process exit code, as documented in `wassette --help`.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Other => 1,
            Class::Usage => 2,
            Class::NotFound => 3,
            Class::Network => 4,
            Class::Verification => 5,
            Class::InvalidComponent => 6,
            Class::Call => 7,
        }
    }
}

/// An error with a stable code and a way out.
pub trait Diagnose: Error {
    /// Stable, kebab-case, the same in JSON, over MCP and in the documentation.
    fn code(&self) -> &'static str;

    /// Decides the exit code.
    fn class(&self) -> Class;

    /// What the user can do about it.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Labelled facts shown under the message, such as the expected digest.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// An error flattened for display: as text for people, as JSON for programs.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Report {
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(&'static str, String)>,
    pub causes: Vec<String>,
    pub hint: Option<String>,
}

impl Report {
    pub fn new(error: &dyn Diagnose) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Wrappers often repeat the text of what they wrap.
            if text != message && causes.last() != Some(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Report {
            code: error.code(),
            message,
            facts: error.facts(),
            causes,
            hint: error.hint(),
        }
    }
}

impl fmt::Display for Report {
    /// The text after `error: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for (label, value) in &self.facts {
            write!(f, "\n  {label}: {value}")?;
        }
        for cause in &self.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n\nhint: {hint}")?;
        }
        Ok(())
    }
}
