//! Prints data to stdout and errors to stderr, in the format for people or for
//! programs.

use std::io::{self, ErrorKind, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::screen::{CYAN, RED, Stream, YELLOW, bold};
use crate::error::{Class, Diagnose, Report};
use crate::text::json_pretty;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    Yaml,
}

/// Data that a command prints.
pub trait Present: Serialize {
    /// The text for people, without a final newline.
    fn table(&self) -> String;
}

/// The output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("The output could not be written")]
pub struct OutputError(#[source] io::Error);

impl Diagnose for OutputError {
    fn code(&self) -> &'static str {
        "output-failed"
    }

    fn class(&self) -> Class {
        Class::Other
    }
}

/// Prints a command's data.
///
/// # Errors
///
/// [`OutputError`] when not all of it could be written; a closed pipe is no error.
pub fn print(data: &impl Present, format: Format) -> Result<(), OutputError> {
    let text = match format {
        Format::Table => Stream::Stdout.fit(&data.table()).into_owned(),
        Format::Json => json(data),
        Format::Yaml => {
            let text = yaml(data);
            match Stream::Stdout.is_terminal() {
                true => Stream::Stdout.fit(&text).into_owned(),
                false => text,
            }
        }
    };
    write(&format!("{}\n", text.trim_end()))
}

/// Prints a text from a component: unchanged to a pipe or file, and without control
/// characters to a terminal.
///
/// # Errors
///
/// As [`print`].
pub fn print_text(text: &str) -> Result<(), OutputError> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match Stream::Stdout.is_terminal() {
        true => write(&format!("{}{end}", Stream::Stdout.fit(text))),
        false => write(&format!("{text}{end}")),
    }
}

/// Writes this program's own text to stdout.
///
/// # Errors
///
/// As [`print`].
pub fn write(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputError(error)),
        _ => Ok(()),
    }
}

/// Writes this program's own JSON to stdout: in ASCII where the locale is not UTF-8.
///
/// # Errors
///
/// As [`print`].
pub fn write_json(text: &str) -> Result<(), OutputError> {
    match super::screen::is_utf8() {
        true => write(text),
        false => write(&escaped(text)),
    }
}

/// The JSON with escapes for all that is not ASCII.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c.is_ascii() {
            true => text.push(c),
            false => {
                let units = c.encode_utf16(&mut [0; 2]).to_vec();
                text.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    text
}

/// Prints a warning on stderr.
pub fn warn(text: &str) {
    let warning = bold(Stream::Stderr, YELLOW, "warning:");
    let _ = writeln!(
        io::stderr().lock(),
        "{warning} {}",
        Stream::Stderr.fit(text)
    );
}

/// Prints why the command failed.
pub fn print_error(report: &Report, format: Format) {
    let text = match format {
        Format::Table => {
            let text = report.to_string();
            let hint = bold(Stream::Stderr, CYAN, "hint:");
            // Only the report's own hint starts a line.
            let text = text.replacen("\n\nhint: ", &format!("\n\n{hint} "), 1);
            let text = format!("{} {text}", bold(Stream::Stderr, RED, "error:"));
            match super::screen::is_utf8() || !Stream::Stderr.is_terminal() {
                true => text,
                false => text.replace('…', "..."),
            }
        }
        Format::Json => json(report),
        Format::Yaml => yaml(report),
    };
    // If this fails, it cannot be reported anywhere.
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

fn json(data: &impl Serialize) -> String {
    // Everything printed has string keys and plain values, so this does not fail.
    json_pretty(data).unwrap_or_else(|error| error.to_string())
}

fn yaml(data: &impl Serialize) -> String {
    serde_saphyr::to_string(data).unwrap_or_else(|error| error.to_string())
}
