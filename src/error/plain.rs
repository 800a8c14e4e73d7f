//! Rewrites parsers' messages without Rust's names for types.

use std::error::Error;
use std::fmt::Display;

/// Returns the message of an error; rewrites that of a JSON or TOML parser.
pub fn message(error: &(dyn Error + 'static)) -> String {
    let is_parser = error.is::<serde_json::Error>()
        || error.is::<toml::de::Error>()
        || error.is::<Box<toml::de::Error>>();
    match is_parser {
        true => plain(error),
        false => error.to_string(),
    }
}

/// Rewrites a parser's message: `invalid type: sequence, expected struct X` becomes
/// `expected an object, found a list`.
pub fn plain(fault: impl Display) -> String {
    let text = fault.to_string();
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

fn line(text: &str) -> String {
    let (text, place) = match text.rfind(" at line ") {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    // `serde_json` reports this position for errors in parsed values.
    let place = match place {
        " at line 1 column 0" => "",
        place => place,
    };
    let mismatch = ["invalid type: ", "invalid value: ", "invalid length "];
    let mismatch = mismatch.iter().find_map(|start| text.strip_prefix(start));
    if let Some((found, expected)) = mismatch.and_then(|rest| rest.rsplit_once(", expected ")) {
        let (found, expected) = (kind(found), kind(expected));
        return format!("expected {expected}, found {found}{place}");
    }
    if let Some(name) = text.strip_prefix("missing field ") {
        return format!("{name} is missing{place}");
    }
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        return format!("unknown value {rest}{place}");
    }
    if text.starts_with("data did not match any variant of untagged enum ") {
        return format!("the value has none of the expected forms{place}");
    }
    format!("{text}{place}")
}

/// Returns the JSON name of a Rust type.
fn kind(text: &str) -> String {
    let bare = text.strip_prefix("a ").unwrap_or(text);
    let of_rust = [
        "struct ",
        "tuple struct ",
        "internally tagged enum ",
        "adjacently tagged enum ",
    ];
    if of_rust.iter().any(|start| bare.starts_with(start)) {
        return "an object".into();
    }
    match bare {
        "sequence" | "tuple" => "a list".into(),
        "map" => "an object".into(),
        "unit value" | "unit" | "null" | "Option value" => "null".into(),
        "borrowed string" | "string" | "str" | "identifier" => "a string".into(),
        "boolean" | "bool" => "true or false".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        _ => match bare.split_once(' ') {
            Some(("floating", rest)) => rest.replacen("point", "the number", 1),
            Some(("integer", value)) => format!("the number {value}"),
            Some(("string", value)) => format!("the string {value}"),
            Some(("enum", _)) => "one of the known values".into(),
            _ => text.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Envelope {
        #[serde(rename = "name")]
        _name: String,
        #[serde(rename = "kind")]
        _kind: Option<Kind>,
        #[serde(rename = "size")]
        _size: Option<u64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Small,
    }

    fn told(json: Value) -> String {
        let of_text = serde_json::from_str::<Envelope>(&json.to_string());
        let text = plain(of_text.expect_err("it does not fit"));
        let of_value = serde_json::from_value::<Envelope>(json).expect_err("it does not fit");
        let of_value = message(&of_value);
        assert!(text.starts_with(&of_value), "{text} {of_value}");
        of_value
    }

    #[test]
    fn no_words_of_rust_are_left() {
        for (json, words) in [
            (json!("x"), "expected an object, found the string \"x\""),
            (json!(null), "expected an object, found null"),
            (json!({}), "`name` is missing"),
            (json!({ "name": [] }), "expected a string, found a list"),
            (json!({ "name": {} }), "expected a string, found an object"),
            (
                json!({ "name": 5 }),
                "expected a string, found the number `5`",
            ),
            (
                json!({ "name": 1.5 }),
                "expected a string, found the number `1.5`",
            ),
            (
                json!({ "name": "n", "size": -1 }),
                "expected a whole number from 0, found the number `-1`",
            ),
            (
                json!({ "name": "n", "kind": "big" }),
                "unknown value `big`, expected `small`",
            ),
        ] {
            assert_eq!(told(json.clone()), words, "{json}");
        }
    }

    #[test]
    fn toml_is_told_in_the_same_words_with_its_place() {
        let error = toml::from_str::<Envelope>("size = 1").expect_err("it does not fit");
        let error: Box<dyn Error> = Box::new(Box::new(error));
        let text = message(&*error);
        assert!(
            text.contains("line 1, column 1") && text.contains("\n`name` is missing"),
            "{text}"
        );
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let error = std::io::Error::other("invalid type: sequence, expected a map");
        assert_eq!(message(&error), "invalid type: sequence, expected a map");
    }
}
