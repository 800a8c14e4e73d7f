//! Encodings of a secret that ordinary programs produce, such as base64 and
//! percent-encoding.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::Secret;
use super::redactor::SHORTEST;

/// Longest secret, in bytes, for which encodings are searched. Longer secrets are files such as
/// certificates, which are rarely re-encoded.
const LONGEST_ENCODED: usize = 4 << 10;
/// Shortest line, in bytes, of a multi-line secret that is searched separately. Shorter text
/// matches base64 by chance.
const SHORTEST_LINE: usize = 16;

/// Returns all forms of a secret; empty if it is shorter than [`SHORTEST`], because short text
/// matches by chance.
pub(super) fn of(secret: &Secret) -> Vec<Zeroizing<String>> {
    let text = secret.expose();
    let mut forms = BTreeSet::new();
    add(&mut forms, text);
    for line in text.lines().map(str::trim) {
        if line.len() >= SHORTEST_LINE && !is_armour(line) {
            add(&mut forms, line);
        }
    }
    let short = |form: &String| form.len() < SHORTEST;
    let forms = forms.into_iter().filter(|form| !short(form));
    forms.map(Zeroizing::new).collect()
}

/// `-----BEGIN …-----` lines are not secret: they are the same in every key.
fn is_armour(line: &str) -> bool {
    line.starts_with("-----") && line.ends_with("-----")
}

fn add(forms: &mut BTreeSet<String>, text: &str) {
    if text.len() < SHORTEST {
        return;
    }
    forms.insert(text.to_owned());
    let json = serde_json::Value::from(text).to_string();
    forms.insert(json[1..json.len() - 1].to_owned());
    if text.len() > LONGEST_ENCODED {
        return;
    }
    forms.insert(ascii_json(text));
    forms.insert(text.escape_debug().to_string());
    forms.insert(percent(text, Hex::Upper, "%20"));
    forms.insert(percent(text, Hex::Lower, "%20"));
    forms.insert(percent(text, Hex::Upper, "+"));
    forms.insert(hex(text, Hex::Upper));
    forms.insert(hex(text, Hex::Lower));
    forms.extend(base64(text));
}

/// JSON with all non-ASCII escaped, as Python's `json.dumps` writes it.
fn ascii_json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut ascii = String::new();
    for unit in json[1..json.len() - 1].encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => ascii.push(byte.into()),
            // Writing to a string cannot fail.
            _ => _ = write!(ascii, "\\u{unit:04x}"),
        }
    }
    ascii
}

#[derive(Clone, Copy)]
enum Hex {
    Upper,
    Lower,
}

impl Hex {
    fn of(self, byte: u8) -> String {
        match self {
            Hex::Upper => format!("{byte:02X}"),
            Hex::Lower => format!("{byte:02x}"),
        }
    }
}

fn hex(text: &str, case: Hex) -> String {
    text.bytes().map(|byte| case.of(byte)).collect()
}

/// Percent-encoding as in URLs; `space` is `+` in HTML forms.
fn percent(text: &str, case: Hex, space: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        b' ' => space.to_owned(),
        _ => format!("%{}", case.of(byte)),
    };
    text.bytes().map(encode).collect()
}

/// Returns the base64 of the secret inside longer data, such as `Basic` credentials. It can start
/// at three offsets of a 3-byte group; characters that also encode neighbouring bytes are left
/// out.
fn base64(text: &str) -> impl Iterator<Item = String> {
    let bytes = text.as_bytes().to_vec();
    (0..3usize).flat_map(move |before| {
        let mut data = vec![0; before];
        data.extend_from_slice(&bytes);
        let start = (before * 8).div_ceil(6);
        let whole = data.len() * 8 / 6;
        [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD]
            .map(|engine| engine.encode(&data)[start..whole].to_owned())
    })
}
