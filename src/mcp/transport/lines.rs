//! Reads lines of bounded length.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// A line without its line end, or a marker for one that was too long and skipped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    TooLong,
}

pub(super) struct Lines<R> {
    input: BufReader<R>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(input: BufReader<R>, limit: usize) -> Self {
        Lines { input, limit }
    }

    /// The next non-empty line; `None` at the end of the input. The last line need not
    /// have a line end.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let mut is_too_long = false;
        loop {
            let part = self.input.fill_buf().await?;
            let is_last = part.is_empty();
            let end = memchr::memchr(b'\n', part);
            let taken = &part[..end.unwrap_or(part.len())];
            if line.len() + taken.len() > self.limit {
                is_too_long = true;
                line = Vec::new();
            }
            if !is_too_long {
                line.extend_from_slice(taken);
            }
            let used = taken.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_none() && !is_last {
                continue;
            }
            if is_too_long {
                return Ok(Some(Line::TooLong));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(Line::Whole(line)));
            }
            if is_last {
                return Ok(None);
            }
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_whole_or_passed_over() {
        let input = b"one\r\n\n \ntoo long a line\n12345678\nlast";
        let mut lines = Lines::new(BufReader::with_capacity(3, &input[..]), 8);
        let whole = |text: &str| Some(Line::Whole(text.as_bytes().to_vec()));
        assert_eq!(lines.next().await.unwrap(), whole("one\r"));
        assert_eq!(lines.next().await.unwrap(), Some(Line::TooLong));
        assert_eq!(lines.next().await.unwrap(), whole("12345678"));
        assert_eq!(lines.next().await.unwrap(), whole("last"));
        assert_eq!(lines.next().await.unwrap(), None);
        let mut lines = Lines::new(BufReader::new(&b"\n too long at the end"[..]), 8);
        assert_eq!(lines.next().await.unwrap(), Some(Line::TooLong));
        assert_eq!(lines.next().await.unwrap(), None);
    }
}
