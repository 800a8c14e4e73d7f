//! What holds for every text, tried on many.

use proptest::prelude::*;

use super::dialects::{BAD, SUBTLE};
use super::*;

/// Texts that are tried for each seed; some seconds in a debug build.
const TEXTS: usize = 1_250;
/// What mutations put in, beside pieces of other documents.
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

/// A small generator of numbers (xorshift): the same texts for the same seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A place between two characters.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn mutate(&mut self, text: &mut String) {
        let (one, other) = (self.place(text), self.place(text));
        let (start, end) = (one.min(other), one.max(other));
        match self.below(5) {
            0 => text.insert_str(start, self.pick(PIECES)),
            1 if end - start < 16 => text.replace_range(start..end, ""),
            2 => {
                let copy = text[start..end].to_owned();
                text.insert_str(end, &copy);
            }
            3 => text.insert_str(start, self.pick(BAD)),
            _ => {
                if let Some(character) = char::from_u32(self.below(0x300) as u32) {
                    text.insert(start, character);
                }
            }
        }
        let mut most = text.len().min(4096);
        while !text.is_char_boundary(most) {
            most -= 1;
        }
        text.truncate(most);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_text_is_a_policy_or_an_error(seed in 1..u64::MAX) {
        let mut numbers = Numbers(seed);
        let mut parsed = 0;
        for _ in 0..TEXTS {
            let mut text = match numbers.below(3) {
                0 => WHOLE.to_owned(),
                1 => format!("version: '1.0'\npermissions: {}", numbers.pick(SUBTLE)),
                _ => Policy::parse(WHOLE).unwrap().to_yaml(),
            };
            for _ in 0..numbers.below(6) {
                numbers.mutate(&mut text);
            }
            match Policy::parse(&text) {
                Ok(policy) => {
                    parsed += 1;
                    let written = policy.to_yaml();
                    let again = Policy::parse(&written)
                        .unwrap_or_else(|error| panic!("{error}\n{written}\nfrom\n{text}"));
                    assert_eq!(again, policy, "{text}");
                    assert!(policy.beyond(&policy).is_empty(), "{text}");
                }
                // Errors are for people: of one screen, whatever the text.
                Err(error) => assert!(error.to_string().len() < 2000, "{error}"),
            }
        }
        assert!(parsed > TEXTS / 20, "only {parsed} were policies");
    }
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
