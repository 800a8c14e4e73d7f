use std::fmt;
use std::io;

use crate::error::{Class, Diagnose};
use crate::policy::{Place, PolicyError};
use crate::text::line;

/// Most characters of a line that are shown.
const WIDTH: usize = 100;

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("The manifest `{file}` cannot be read")]
    Read { file: String, source: io::Error },
    #[error("The manifest `{file}` has more than {} bytes", super::LARGEST)]
    TooLarge { file: String },
    #[error("{file}:{}:{}: {problem}{excerpt}", at.line, at.column)]
    Wrong {
        file: String,
        at: Place,
        problem: String,
        excerpt: Excerpt,
    },
}

/// The line with the error, with a caret below the position.
#[derive(Debug, Default)]
pub struct Excerpt(Option<(u64, String, usize)>);

impl Excerpt {
    /// Leaves out the text after `value:`, which may be confidential.
    fn of(text: &str, at: Place) -> Self {
        let index = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(found) = text.lines().nth(index(at.line)) else {
            return Excerpt(None);
        };
        let found = found.replace('\t', " ");
        let column = index(at.column);
        let shown = match found.split_once("value:") {
            Some((before, _)) => format!("{before}value: …"),
            None => found,
        };
        if column >= WIDTH || shown.trim().is_empty() {
            return Excerpt(None);
        }
        let cut = shown.chars().take(WIDTH).collect::<String>();
        let caret = column.min(cut.chars().count());
        Excerpt(Some((at.line, line(&cut), caret)))
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((number, text, caret)) = &self.0 else {
            return Ok(());
        };
        write!(f, "\n  {number} | {text}")?;
        let margin = number.to_string().len() + 2;
        write!(f, "\n{:margin$} | {:caret$}^", "", "")
    }
}

/// The text of a manifest's file, and the file's name for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct In<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl In<'_> {
    pub fn wrong(&self, at: Place, problem: impl Into<String>) -> ManifestError {
        ManifestError::Wrong {
            file: self.file.to_owned(),
            at,
            problem: problem.into(),
            excerpt: Excerpt::of(self.text, at),
        }
    }

    /// Converts an error of the policy reader, which also reads manifests.
    pub fn found(&self, error: PolicyError) -> ManifestError {
        match error {
            PolicyError::TooLarge { .. } => ManifestError::TooLarge {
                file: self.file.to_owned(),
            },
            PolicyError::Malformed { at, problem } => self.wrong(
                at,
                format!("this is not YAML as it is read here: {problem}"),
            ),
            PolicyError::Invalid { at, path, problem } if path.is_empty() => {
                self.wrong(at, problem)
            }
            PolicyError::Invalid { at, path, problem } => {
                self.wrong(at, format!("{problem} (`{path}`)"))
            }
        }
    }
}

impl Diagnose for ManifestError {
    fn code(&self) -> &'static str {
        match self {
            ManifestError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "manifest-not-found"
            }
            _ => "invalid-manifest",
        }
    }

    fn class(&self) -> Class {
        match self {
            ManifestError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Class::NotFound
            }
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            ManifestError::Read { .. } => "`wassette apply -f FILE` takes a file, an https \
                                           address, or `-` for standard input"
                .into(),
            _ => "docs/fleets.md describes every key; `wassette manifest schema` prints the JSON \
                  Schema"
                .into(),
        })
    }
}
