//! The media types that a client accepts as an answer.

use axum::http::{HeaderMap, header};

/// The media types that a client's `Accept` headers allow. Clients send all sorts of
/// these headers, or none, so no request is refused for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    Json,
    Events,
    Either,
}

impl Accepted {
    /// Allows event streams only if the client names them: `*/*` is sent by programs
    /// that cannot read them.
    pub fn of(headers: &HeaderMap) -> Self {
        let (mut json, mut events) = (false, false);
        let values = headers.get_all(header::ACCEPT).iter();
        let ranges = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            if parts.any(is_zero_weight) {
                continue;
            }
            json |= matches!(&*kind, "application/json" | "application/*" | "*/*");
            events |= matches!(&*kind, "text/event-stream" | "text/*");
        }
        match (json, events) {
            (true, true) => Accepted::Either,
            (false, true) => Accepted::Events,
            (_, false) => Accepted::Json,
        }
    }
}

/// `q=0` excludes a media type.
fn is_zero_weight(parameter: &str) -> bool {
    let weight = parameter
        .split_once('=')
        .filter(|(name, _)| name.trim() == "q");
    weight.is_some_and(|(_, weight)| weight.trim().parse() == Ok(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_is_answered_in_kind() {
        for (accept, expected) in [
            ("application/json, text/event-stream", Accepted::Either),
            ("text/event-stream;q=0.5, */*;q=0.1", Accepted::Either),
            ("application/json, text/*", Accepted::Either),
            ("text/event-stream", Accepted::Events),
            ("Text/Event-Stream; charset=utf-8", Accepted::Events),
            ("application/json", Accepted::Json),
            ("application/json, text/event-stream;q=0", Accepted::Json),
            ("*/*", Accepted::Json),
            ("text/html", Accepted::Json),
            ("", Accepted::Json),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(Accepted::of(&headers), expected, "{accept}");
        }
        assert_eq!(Accepted::of(&HeaderMap::new()), Accepted::Json);
    }
}
