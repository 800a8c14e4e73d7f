//! Data to stdout, errors to stderr, each as the reader can use it.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::error::Report;

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

/// Prints a command's data; a reader that has gone away is no error.
pub fn print(data: &impl Present, format: Format) {
    let text = match format {
        Format::Table => data.table(),
        Format::Json => json(data),
        Format::Yaml => yaml(data),
    };
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.trim_end());
}

/// Prints why the command failed.
pub fn print_error(report: &Report, format: Format) {
    let text = match format {
        Format::Table if io::stderr().is_terminal() => {
            let text = report.to_string();
            let text = text.replace("\n\nhint: ", "\n\n\x1b[1;36mhint:\x1b[0m ");
            format!("\x1b[1;31merror:\x1b[0m {text}")
        }
        Format::Table => format!("error: {report}"),
        Format::Json => json(report),
        Format::Yaml => yaml(report),
    };
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{}", text.trim_end());
}

fn json(data: &impl Serialize) -> String {
    // Everything printed has string keys and plain values.
    serde_json::to_string_pretty(data).unwrap_or_else(|error| error.to_string())
}

fn yaml(data: &impl Serialize) -> String {
    serde_saphyr::to_string(data).unwrap_or_else(|error| error.to_string())
}

/// A table with borders on a terminal and plain columns in a pipe.
pub fn grid(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    if io::stdout().is_terminal() {
        table
            .load_style(presets::UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.load_style(presets::NOTHING);
    }
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    table.trim_fmt()
}

/// Labels and values, one pair to a line.
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(label, _)| label.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (label, value) in pairs {
        let value = value.replace('\n', &format!("\n{:1$}", "", width + 2));
        text.push_str(&format!("{label:width$}  {value}\n"));
    }
    text.truncate(text.trim_end().len());
    text
}

/// A list for people; a dash when there is nothing.
pub fn listed(items: &[String]) -> String {
    if items.is_empty() {
        "-".into()
    } else {
        items.join("\n")
    }
}

/// Bytes in the largest binary unit that keeps a digit before the point.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}
