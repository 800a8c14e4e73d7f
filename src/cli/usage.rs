//! Help, the version, and command lines that are wrong.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Error};

use super::output::{self, Format};
use super::{Cli, Failure};
use crate::error::{Class, Diagnose};

/// The command line is wrong, in clap's words.
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

/// The format that a command line asks for, also one that does not parse.
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

/// Shows what clap ends the program with: help or the version on stdout, or
/// what is wrong with the command line.
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

/// clap's text in parts: `error: MESSAGE`, tips, `Usage: …`, and where to read on.
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

/// An error like clap's own, found by a command after parsing.
pub fn conflict(command: &str, message: String) -> Failure {
    let mut root = Cli::command();
    root.build();
    let command = match root.find_subcommand_mut(command) {
        Some(command) => command,
        None => &mut root,
    };
    wrong(&command.error(ErrorKind::ArgumentConflict, message)).into()
}
