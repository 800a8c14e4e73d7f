//! What a stream can display: colours, non-ASCII characters, and its width.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal};

use console::Term;

use crate::text::printable;

/// An output stream that people read.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub fn is_terminal(self) -> bool {
        match self {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }

    /// Whether escape sequences may be written: to a terminal that supports them,
    /// unless the user sets [`NO_COLOR`](https://no-color.org).
    pub fn takes_escapes(self) -> bool {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        self.is_terminal() && !refused && !(dumb && cfg!(unix))
    }

    /// The terminal's width in columns; `None` if this is no terminal.
    pub fn width(self) -> Option<usize> {
        let terminal = match self {
            Stream::Stdout => Term::stdout(),
            Stream::Stderr => Term::stderr(),
        };
        let size = self.is_terminal().then(|| terminal.size_checked())?;
        size.map(|(_, columns)| usize::from(columns))
            .filter(|columns| *columns > 0)
    }

    /// The text as the stream can display it: without control characters, and with
    /// `...` for `…` on a terminal without UTF-8.
    pub fn fit(self, text: &str) -> Cow<'_, str> {
        match printable(text) {
            text if self.is_terminal() && !is_utf8() => text.replace('…', "...").into(),
            text => text,
        }
    }
}

/// Whether the locale uses UTF-8.
pub fn is_utf8() -> bool {
    if cfg!(windows) {
        return true;
    }
    let set = |name: &&str| env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The mark for the rest of a text that was cut.
pub fn ellipsis() -> &'static str {
    if is_utf8() { "…" } else { "..." }
}

/// Bold, coloured text if the stream supports it.
pub fn bold(stream: Stream, colour: &str, text: &str) -> String {
    match stream.takes_escapes() {
        true => format!("\x1b[1;{colour}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

/// The colours for [`bold`].
pub const RED: &str = "31";
pub const YELLOW: &str = "33";
pub const CYAN: &str = "36";
