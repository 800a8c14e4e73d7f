//! Error codes, exit codes, hints, and the display of errors.
//!
//! Each module has its own `thiserror` enum; this module has no domain
//! variants. The message says *what* failed, the source chain *why*, and the
//! hint *what to do next*.

pub mod plain;

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::text::printable;

/// Classes of failure, which scripts distinguish by exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Anything that has no class of its own.
    Other,
    /// The command line, or an argument of a tool, is wrong.
    Usage,
    /// A component, tool, file or artifact does not exist.
    NotFound,
    /// A host could not be reached or refused the request.
    Network,
    /// Content does not match its digest or size, or is not trusted.
    Verification,
    /// The content is not a component that this program can run.
    InvalidComponent,
    /// A call failed: the component returned an error, trapped or exceeded a
    /// limit.
    Call,
    /// The user interrupted the command (SIGINT).
    Interrupted,
    /// The system ended the command (SIGTERM).
    Terminated,
}

impl Class {
    /// Returns the process exit code, as documented in `wassette --help`.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Other => 1,
            Class::Usage => 2,
            Class::NotFound => 3,
            Class::Network => 4,
            Class::Verification => 5,
            Class::InvalidComponent => 6,
            Class::Call => 7,
            Class::Interrupted => 130,
            Class::Terminated => 143,
        }
    }
}

/// An error with a stable code and a hint for the user.
pub trait Diagnose: Error {
    /// Returns a stable code in kebab-case, the same in JSON, over MCP and in the documentation.
    fn code(&self) -> &'static str;

    /// Returns the class, which determines the exit code.
    fn class(&self) -> Class;

    /// Returns what the user can do about it.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Returns labelled facts to show below the message, such as the expected digest.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The source of an error's code and class.
pub enum Diagnosis<'a> {
    /// The error's own code and class.
    Own(&'static str, Class),
    /// Those of the error of a layer below.
    Below(&'a dyn Diagnose),
}

/// An error of its own layer, or one that wraps an error of a layer below.
pub trait Layered: Error {
    fn diagnosis(&self) -> Diagnosis<'_>;

    /// Returns the layer's own hint, if it is better than that of the layer below.
    fn own_hint(&self) -> Option<String> {
        None
    }

    /// Like [`Diagnose::facts`], for an error of this layer.
    fn own_facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl<E: Layered> Diagnose for E {
    fn code(&self) -> &'static str {
        match self.diagnosis() {
            Diagnosis::Own(code, _) => code,
            Diagnosis::Below(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self.diagnosis() {
            Diagnosis::Own(_, class) => class,
            Diagnosis::Below(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        self.own_hint().or_else(|| match self.diagnosis() {
            Diagnosis::Own(..) => None,
            Diagnosis::Below(error) => error.hint(),
        })
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self.diagnosis() {
            Diagnosis::Own(..) => self.own_facts(),
            Diagnosis::Below(error) => error.facts(),
        }
    }
}

/// An error flattened for display: as text for people, as JSON for programs.
///
/// Untrusted text in it is made safe: control and invisible characters are
/// escaped, and each part is cut to 8,192 characters.
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
    /// Collects message, facts, causes and hint, without repeated causes.
    pub fn new(error: &dyn Diagnose) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = plain::message(cause);
            // Wrappers often repeat the message of the wrapped error.
            if text != message && causes.last() != Some(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        let facts = error.facts().into_iter();
        Report {
            code: error.code(),
            message: shown(&message),
            facts: facts.map(|(label, fact)| (label, shown(&fact))).collect(),
            causes: causes.iter().map(|cause| shown(cause)).collect(),
            hint: error.hint().map(|hint| shown(&hint)),
        }
    }
}

/// Most characters of one part of a report.
const LONGEST: usize = 8_192;

fn shown(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text).into_owned(),
    }
}

/// Indents all lines but the first, so that quoted text cannot imitate a line
/// of the report such as `hint:`. Text whose further lines are already indented
/// stays as it is.
fn indented(text: &str) -> String {
    let text = text.trim_end();
    let at_margin = |line: &str| !line.is_empty() && !line.starts_with(' ');
    match text.lines().skip(1).any(at_margin) {
        true => text.replace('\n', "\n    "),
        false => text.to_owned(),
    }
}

impl fmt::Display for Report {
    /// Writes the text after `error: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&indented(&self.message))?;
        for (label, value) in &self.facts {
            write!(f, "\n  {label}: {}", indented(value))?;
        }
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", indented(cause))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n\nhint: {}", indented(hint))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("It failed: {said}")]
    struct Quoting {
        said: String,
    }

    impl Diagnose for Quoting {
        fn facts(&self) -> Vec<(&'static str, String)> {
            vec![("said", self.said.clone())]
        }

        fn code(&self) -> &'static str {
            "internal"
        }

        fn class(&self) -> Class {
            Class::Other
        }
    }

    #[test]
    fn a_quoted_text_neither_hides_anything_nor_speaks_for_the_program() {
        let report = Report::new(&Quoting {
            said: "\u{1b}[2J\u{202e}x\nhint: run `rm`".into(),
        });
        let quoted = "\\u{1b}[2J\\u{202e}x\n    hint: run `rm`";
        assert_eq!(
            report.to_string(),
            format!("It failed: {quoted}\n  said: {quoted}")
        );
        let long = Report::new(&Quoting {
            said: "x".repeat(LONGEST),
        });
        assert_eq!(long.message.chars().count(), LONGEST + 1);
    }
}
