//! Logs to standard error.

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::screen::Stream;
use crate::text::{line, printable};

/// Libraries that handle guests' data. Their trace messages repeat paths, headers and
/// file names with secrets in them, and the queries of signed URLs, so their traces
/// are never logged.
const REPEATING: [&str; 7] = [
    "wasmtime",
    "hyper",
    "h2",
    "rustls",
    "tokio_rustls",
    "want",
    "rmcp",
];

/// Whether log lines show the names of modules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    Shown,
    Hidden,
}

/// Starts logging to stderr; stdout carries data or the MCP stream. RUST_LOG
/// overrides `levels`.
pub fn start(levels: &str, targets: Targets) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(levels));
    // Clients, guests and registries influence the logged texts: each is kept on its
    // line, without control characters for the terminal.
    let fields = debug_fn(|writer, field, value| match field.name() {
        "message" => {
            let message = format!("{value:?}").replace('\n', "\n    ");
            write!(writer, "{}", printable(&message))
        }
        name => write!(writer, "{name}={}", line(&format!("{value:?}"))),
    });
    let written = tracing_subscriber::fmt::layer()
        .fmt_fields(fields.delimited(" "))
        .with_writer(std::io::stderr)
        .with_ansi(Stream::Stderr.takes_escapes())
        .with_target(targets == Targets::Shown)
        .without_time();
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(repeats_no_guest))
        .with(written)
        .init();
}

fn repeats_no_guest(of: &Metadata<'_>) -> bool {
    let library = of.target().split("::").next().unwrap_or_default();
    let repeats = REPEATING.iter().any(|name| {
        let family = library.strip_prefix(name);
        family.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    });
    !repeats || *of.level() <= Level::INFO
}
