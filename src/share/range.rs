//! Parses the requested part of a blob ([RFC 9110][spec]).
//!
//! [spec]: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests

use axum::http::{HeaderMap, header};

/// The part of a blob to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// `length` bytes starting at offset `from`.
    Range {
        from: u64,
        length: u64,
    },
    /// The range starts after the end.
    Outside,
}

impl Part {
    /// The part that the headers request of `size` bytes with the entity tag `tag`.
    /// Several ranges, other units and invalid values are ignored, as the RFC allows.
    pub fn of(headers: &HeaderMap, size: u64, tag: &str) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // A date in `If-Range` never equals the tag, so the whole blob is sent.
        if headers.contains_key(header::IF_RANGE) && text(header::IF_RANGE) != Some(tag) {
            return Part::Whole;
        }
        let range = text(header::RANGE).and_then(|range| range.strip_prefix("bytes="));
        range.map_or(Part::Whole, |range| parse(range.trim(), size))
    }
}

/// `FROM-TO`, `FROM-` or `-LAST`.
fn parse(range: &str, size: u64) -> Part {
    let number = |text: &str| match text.bytes().all(|c| c.is_ascii_digit()) {
        // A number that overflows is past any end.
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    let Some((from, to)) = range.split_once('-') else {
        return Part::Whole;
    };
    let (Some(first), Some(last)) = (number(from), number(to)) else {
        return Part::Whole;
    };
    let (first, end) = match (from.is_empty(), to.is_empty()) {
        (true, true) => return Part::Whole,
        (true, false) if last == 0 => return Part::Outside,
        (true, false) => (size.saturating_sub(last), size),
        (false, true) => (first, size),
        (false, false) if last < first => return Part::Whole,
        (false, false) => (first, last.saturating_add(1).min(size)),
    };
    if first >= size {
        return Part::Outside;
    }
    Part::Range {
        from: first,
        length: end - first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str, if_range: Option<&str>) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert("range", range.parse().unwrap());
        if let Some(tag) = if_range {
            headers.insert("if-range", tag.parse().unwrap());
        }
        Part::of(&headers, 10, "\"x\"")
    }

    #[test]
    fn one_range_is_understood() {
        let range = |from, length| Part::Range { from, length };
        for (text, part) in [
            ("bytes=0-0", range(0, 1)),
            ("bytes=2-5", range(2, 4)),
            ("bytes=2-", range(2, 8)),
            ("bytes=-3", range(7, 3)),
            ("bytes=-30", range(0, 10)),
            ("bytes=9-99999999999999999999999", range(9, 1)),
            ("bytes=10-", Part::Outside),
            ("bytes=99999999999999999999999-", Part::Outside),
            ("bytes=-0", Part::Outside),
        ] {
            assert_eq!(of(text, None), part, "{text}");
            assert_eq!(of(text, Some("\"x\"")), part, "{text}");
        }
    }

    #[test]
    fn anything_else_brings_the_whole() {
        for text in [
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=1-2,4-5",
            "lines=1-2",
            "1-2",
            "bytes=a-b",
        ] {
            assert_eq!(of(text, None), Part::Whole, "{text}");
        }
        for tag in ["\"y\"", "W/\"x\"", "Tue, 24 Nov 2026 00:00:00 GMT"] {
            assert_eq!(of("bytes=1-2", Some(tag)), Part::Whole, "{tag}");
        }
    }

    #[test]
    fn nothing_has_no_range() {
        assert_eq!(parse("0-", 0), Part::Outside);
        assert_eq!(parse("-1", 0), Part::Outside);
    }
}
