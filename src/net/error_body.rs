//! Extracts a printable message from the body of an error response.

use http::HeaderValue;
use serde_json::Value;

use super::request::Sent;
use crate::text::is_invisible;

/// Most characters of the message.
const MAX_DETAIL: usize = 200;

/// The message in an error body, after `: `. HTML pages are ignored, and the
/// secrets in `sent` are masked, because a server may echo them.
pub(super) fn detail(body: &[u8], media_type: Option<&HeaderValue>, sent: &Sent) -> Option<String> {
    let words = match serde_json::from_slice(body) {
        Ok(json) => of_registry(&json).unwrap_or_else(|| strings(&json).join(": ")),
        Err(_) if is_text(media_type) => String::from_utf8_lossy(body).into_owned(),
        Err(_) => return None,
    };
    // The message is printed on terminals and in logs.
    let safe = words.chars().filter_map(|c| match c {
        c if c.is_whitespace() => Some(' '),
        c => (!c.is_control() && !is_invisible(c)).then_some(c),
    });
    let mut safe: String = safe.collect();
    for secret in &sent.0 {
        if !secret.is_empty() {
            safe = safe.replace(secret.expose(), "…");
        }
    }
    let safe = safe.split_whitespace().collect::<Vec<_>>().join(" ");
    let safe: String = safe.chars().take(MAX_DETAIL).collect();
    (!safe.is_empty()).then(|| format!(": {safe}"))
}

/// The first error of a body in the form of the [distribution specification][spec].
///
/// [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
fn of_registry(body: &Value) -> Option<String> {
    let first = body.get("errors")?.get(0)?;
    let fields = ["code", "message"].map(|field| first.get(field).and_then(Value::as_str));
    let words: Vec<&str> = fields.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(": "))
}

/// All strings in JSON of any other form, as token servers and proxies send it.
fn strings(json: &Value) -> Vec<&str> {
    match json {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

fn is_text(media_type: Option<&HeaderValue>) -> bool {
    let text = media_type.and_then(|value| value.to_str().ok());
    text.is_some_and(|text| text.starts_with("text/plain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str, media_type: &'static str) -> Option<String> {
        let kind = HeaderValue::from_static(media_type);
        let sent = Sent(vec!["s3\"cret".into()]);
        detail(body.as_bytes(), Some(&kind), &sent)
    }

    #[test]
    fn words_of_registries_token_servers_and_proxies() {
        for (body, words) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"no\n entry","detail":{"x":"y"}}]}"#,
                Some(": DENIED: no entry"),
            ),
            (
                r#"{"details":"incorrect username or password"}"#,
                Some(": incorrect username or password"),
            ),
            (
                r#"{"error":"invalid_grant","error_description":"s3\"cret is wrong"}"#,
                Some(": invalid_grant: … is wrong"),
            ),
            (r#"{"errors":["a","b"]}"#, Some(": a: b")),
            (
                r#"{"message":"red \u001b[31m \u202ebackwards"}"#,
                Some(": red [31m backwards"),
            ),
            (r#"{"errors":[]}"#, None),
            ("17", None),
            ("{", None),
        ] {
            assert_eq!(said(body, "application/json").as_deref(), words, "{body}");
        }
        let page = "<html>Blocked\n by the proxy</html>";
        assert_eq!(said(page, "text/html"), None);
        let text = said("Blocked\r\n  by the proxy", "text/plain; charset=utf-8");
        assert_eq!(text.as_deref(), Some(": Blocked by the proxy"));
    }

    #[test]
    fn not_more_than_a_line_or_two() {
        for body in ["\"", "{\"message\":\""] {
            let end = if body == "\"" { "\"" } else { "\"}" };
            let long = format!("{body}{}{end}", "x".repeat(50_000));
            let words = said(&long, "application/json").expect("words");
            assert_eq!(words.chars().count(), MAX_DETAIL + 2);
        }
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(said(&deep, "application/json"), None);
    }
}
