//! Properties of every text, tested with generated ones.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

use super::dialects::{BAD, SUBTLE};
use super::*;

/// Number of texts; they take a few seconds in a debug build.
const TEXTS: u32 = 20_000;
/// Most characters of a text.
const MOST: usize = 4096;
/// Text that mutations insert, besides pieces of other documents.
const PIECES: &[&str] = &[
    "",
    "\n",
    " ",
    "\t",
    "-",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    "&a",
    "*a",
    "!!str",
    "|",
    ">",
    "'",
    "\"",
    "\\",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "**",
    "*",
    "..",
    "/",
    "%2f",
    "fs://",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "null",
    "~",
    "true",
    ".nan",
    "<<",
    "? ",
    "---\n",
    "...\n",
    "version: \"1.0\"\n",
    "permissions:\n",
    "  network:\n",
    "    allow:\n",
    "value_from: secret",
    "[[[[[[[[[[[[[[[[",
    "{a: {a: {a: {a: {a: ",
    "*.",
    "xn--",
    "::1",
    "/0",
    "/129",
];

/// One mutation of a text. Its positions are valid for any length.
#[derive(Debug, Clone)]
enum Change {
    Insert(Index, String),
    /// Removes at most this many characters.
    Cut(Index, usize),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        4 => select(PIECES).prop_map(str::to_owned),
        2 => select(BAD).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop_oneof![
        3 => (any::<Index>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        1 => (any::<Index>(), 0_usize..16).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn changed(text: &str, change: Change) -> String {
    let mut text: Vec<char> = text.chars().collect();
    let place = |at: Index| at.index(text.len() + 1);
    match change {
        Change::Insert(at, piece) => {
            let at = place(at);
            text.splice(at..at, piece.chars());
        }
        Change::Cut(at, length) => {
            let at = place(at);
            let end = text.len().min(at + length);
            text.drain(at..end);
        }
        Change::Repeat(one, other) => {
            let (one, other) = (place(one), place(other));
            text.extend_from_within(one.min(other)..one.max(other));
        }
    }
    text.into_iter().take(MOST).collect()
}

/// Valid and damaged documents.
fn texts() -> impl Strategy<Value = String> {
    let document = prop_oneof![
        Just(WHOLE.to_owned()),
        select(SUBTLE).prop_map(|text| format!("version: '1.0'\npermissions: {text}")),
        Just(Policy::parse(WHOLE).unwrap().to_yaml()),
    ];
    (document, vec(change(), 0..6)).prop_map(|(text, changes)| {
        changes
            .into_iter()
            .fold(text, |text, one| changed(&text, one))
    })
}

/// Uses other texts in every run; a failing text is minimized and shown.
#[test]
fn any_text_is_a_policy_or_an_error() {
    let parsed = Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(TEXTS));
    let law = |text: String| {
        match Policy::parse(&text) {
            Ok(policy) => {
                parsed.set(parsed.get() + 1);
                let written = policy.to_yaml();
                let again = Policy::parse(&written)
                    .map_err(|error| TestCaseError::fail(format!("{error}\n{written}")))?;
                prop_assert_eq!(&again, &policy);
                prop_assert!(policy.beyond(&policy).is_empty());
            }
            // Errors are for people: they fit on one screen, whatever the text.
            Err(error) => prop_assert!(error.to_string().len() < 2000, "{}", error),
        }
        Ok(())
    };
    runner.run(&texts(), law).unwrap();
    assert!(parsed.get() > TEXTS / 20, "only {parsed:?} were policies");
}

#[test]
fn depth_and_size_are_bounded() {
    for text in [
        format!("version: '1.0'\npermissions: {}", "[".repeat(100_000)),
        format!("version: '1.0'\npermissions: {}", "{a: ".repeat(100_000)),
        format!("version: '1.0'\ndescription: {}", "a".repeat(10 << 20)),
        "a: &a [x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: [*c,*c,*c,*c]".into(),
    ] {
        assert!(Policy::parse(&text).is_err());
    }
}
