//! Resuming interrupted downloads with [range requests][spec].
//!
//! [spec]: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Response;

/// The state from which an interrupted download resumes.
#[derive(Debug, Clone)]
pub(crate) struct Resume {
    /// Bytes received so far.
    pub from: u64,
    /// The strong entity tag (`ETag`) of the interrupted response.
    pub validator: Option<HeaderValue>,
    /// Length of the complete content, if known.
    pub total: Option<u64>,
}

impl Resume {
    /// The headers that request the remaining bytes: `Range` and `If-Range`.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Ok(range) = HeaderValue::try_from(format!("bytes={}-", self.from)) {
            headers.insert(header::RANGE, range);
        }
        if let Some(validator) = &self.validator {
            headers.insert(header::IF_RANGE, validator.clone());
        }
        headers
    }

    /// Whether the response is a 206 with the remaining bytes of the same
    /// content. Entity tags and total lengths are compared if both sides have
    /// them.
    pub fn is_answered_by(&self, response: &Response) -> bool {
        let range = response.headers().get(header::CONTENT_RANGE);
        let Some((from, to, total)) = range.and_then(|value| value.to_str().ok()).and_then(parse)
        else {
            return false;
        };
        let same = match (&self.validator, validator(response.headers())) {
            (Some(ours), Some(theirs)) => *ours == theirs,
            _ => true,
        };
        let total_agrees = match (self.total, total) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        response.status() == StatusCode::PARTIAL_CONTENT
            && same
            && from == self.from
            && to >= from
            && total_agrees
    }
}

/// The strong entity tag, if any. A weak one may stay the same for different
/// bytes.
pub(crate) fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(header::ETAG)?;
    tag.as_bytes().starts_with(b"\"").then(|| tag.clone())
}

/// Parses the `Content-Range` value `bytes FROM-TO/TOTAL`; the total may be
/// `*`.
fn parse(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((from.parse().ok()?, to.parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(parse("bytes 5-9/10"), Some((5, 9, Some(10))));
        assert_eq!(parse("bytes 5-9/*"), Some((5, 9, None)));
        for wrong in [
            "",
            "bytes */10",
            "bytes 5-/10",
            "lines 5-9/10",
            "bytes 5-9",
            "bytes -5-9/10",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
