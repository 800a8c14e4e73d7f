use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY: &str = "s3cr3t/k\"ey?é";

fn redactor(secrets: &[&str]) -> Redactor {
    let secrets: Vec<Secret> = secrets.iter().map(|&text| text.into()).collect();
    Redactor::new(&secrets)
}

#[test]
fn a_secret_shows_itself_to_nobody() {
    let secret = Secret::from(KEY);
    assert_eq!(format!("{secret} {secret:?}"), "… Secret(…)");
    assert!(!format!("{:?}", redactor(&[KEY])).contains("s3cr3t"));
}

#[test]
fn every_usual_form_is_found() {
    let redactor = redactor(&[KEY]);
    let ascii = r#"s3cr3t/k\"ey?\u00e9"#;
    let forms = [
        KEY.to_owned(),
        json!(KEY).to_string(),
        ascii.to_owned(),
        KEY.escape_debug().to_string(),
        "s3cr3t%2Fk%22ey%3F%C3%A9".into(),
        "s3cr3t%2fk%22ey%3f%c3%a9".into(),
        STANDARD.encode(KEY),
        URL_SAFE_NO_PAD.encode(KEY),
        KEY.bytes().map(|byte| format!("{byte:02x}")).collect(),
        KEY.bytes().map(|byte| format!("{byte:02X}")).collect(),
    ];
    for form in forms {
        let text = redactor.text(&form).into_owned();
        assert!(text.contains("[redacted]"), "{form}: {text}");
        // At the end of base64, one character holds bits of the last byte.
        assert!(text.len() <= "\"[redacted]\"==".len(), "{form}: {text}");
    }
}

#[test]
fn a_secret_within_longer_base64_is_found() {
    let redactor = redactor(&["Passw0rd!"]);
    for user in ["a", "ab", "abc", "abcd"] {
        for tail in ["", "1", "12"] {
            let basic = STANDARD.encode(format!("{user}:Passw0rd!{tail}"));
            assert!(redactor.text(&basic).contains("[redacted]"), "{basic}");
        }
    }
}

#[test]
fn the_lines_of_a_long_secret_are_secrets() {
    let pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n";
    let redactor = redactor(&[pem]);
    assert_eq!(redactor.text(pem), "[redacted]");
    assert_eq!(
        redactor.text("line 2: AQEFAASCBKcwggSjAgEAAoIB."),
        "line 2: [redacted]."
    );
    let harmless = "expected -----BEGIN KEY-----";
    assert_eq!(redactor.text(harmless), harmless);
}

#[test]
fn short_secrets_leave_words_alone() {
    assert_eq!(
        redactor(&["eu", "1", ""]).text("eu 1 neutral"),
        "eu 1 neutral"
    );
    assert!(redactor(&["eu"]).stream().is_none());
}

#[test]
fn the_longest_of_two_secrets_is_taken_whole() {
    let redactor = redactor(&["hunter", "hunter22"]);
    assert_eq!(redactor.text("hunter22 hunter2"), "[redacted] [redacted]2");
}

#[test]
fn values_are_cleaned_in_depth() {
    let mut value = json!({
        "list": ["a hunter22", 5, null],
        "hunter22": { "x": STANDARD.encode("hunter22") },
        "plain": "text",
    });
    redactor(&["hunter22"]).value(&mut value);
    let expected = json!({
        "list": ["a [redacted]", 5, null],
        "[redacted]": { "x": "[redacted]=" },
        "plain": "text",
    });
    let mut clean = value.clone();
    // The last character before the padding holds half a byte.
    let tail = clean["[redacted]"]["x"].as_str().unwrap().len();
    assert!(tail <= "[redacted]M=".len(), "{value}");
    clean["[redacted]"]["x"] = "[redacted]=".into();
    assert_eq!(clean, expected);
}

proptest! {
    /// A text gives the same result whether it comes in chunks or whole.
    #[test]
    fn pieces_are_cleaned_like_the_whole(
        words in prop::collection::vec(
            prop::sample::select(vec!["hunter", "22", "hunter22", "abcd", "ab", "cd", " ", "\n"]),
            0..40,
        ),
        cuts in prop::collection::vec(0usize..9, 1..60),
    ) {
        let redactor = redactor(&["hunter22", "hunter", "abcd", "dab\nab"]);
        let text: String = words.concat();
        let mut stream = redactor.stream().unwrap();
        let mut shown = Vec::new();
        let mut rest = text.as_bytes();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            shown.extend(stream.push(piece));
            rest = after;
        }
        shown.extend(stream.push(rest));
        shown.extend(stream.finish());
        let shown = String::from_utf8(shown).unwrap();
        prop_assert_eq!(&shown, &redactor.text(&text));
        prop_assert!(!shown.contains("hunter") && !shown.contains("abcd"));
    }
}
