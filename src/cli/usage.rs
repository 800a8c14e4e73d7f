//! Prints help and the version, and reports wrong command lines.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Error};

use super::output::{self, Format};
use super::{Cli, Failure};
use crate::error::{Class, Diagnose};

/// A wrong command line, with clap's message.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct UsageError {
    message: String,
    hint: Option<String>,
}

impl Diagnose for UsageError {
    fn code(&self) -> &'static str {
        "usage"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// The output format that a command line asks for, even if it does not parse.
pub fn format(args: &[OsString]) -> Format {
    let mut args = args.iter().filter_map(|arg| arg.to_str());
    let mut format = Format::Table;
    while let Some(arg) = args.next() {
        let value = match arg {
            "--" => break,
            "-o" | "--output" => args.next(),
            arg => ["--output=", "-o=", "-o"]
                .iter()
                .find_map(|start| arg.strip_prefix(start)),
        };
        match value {
            Some("json") => format = Format::Json,
            Some("yaml") => format = Format::Yaml,
            _ => {}
        }
    }
    format
}

/// Prints help or the version to stdout, or reports what is wrong with the command
/// line.
pub fn end(error: Error) -> Result<(), Failure> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let text = error.render();
        let text = match super::screen::Stream::Stdout.takes_escapes() {
            true => text.ansi().to_string(),
            false => text.to_string(),
        };
        return Ok(output::write(&text)?);
    }
    Err(wrong(&error).into())
}

/// Splits clap's text into its message, tips and usage.
fn wrong(error: &Error) -> UsageError {
    let text = error.render().to_string();
    let mut parts = text.trim_end().split("\n\n");
    let message = parts.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let mut hints = Vec::new();
    for part in parts {
        let part = part.trim();
        hints.push(part.strip_prefix("tip: ").unwrap_or(part));
    }
    let hint = hints.join("\n");
    UsageError {
        message: message.to_owned(),
        hint: (!hint.is_empty()).then_some(hint),
    }
}

/// An error in clap's form that a command finds after parsing.
pub fn conflict(command: &str, message: String) -> Failure {
    let mut root = Cli::command();
    root.build();
    let command = match root.find_subcommand_mut(command) {
        Some(command) => command,
        None => &mut root,
    };
    wrong(&command.error(ErrorKind::ArgumentConflict, message)).into()
}
