//! Finds the entries that match search terms, and ranks them.
//!
//! Every term must match. A match in a name counts more than one in a description, and that more
//! than one in a URI; a whole word counts more than the beginning of a word, and that more than
//! any other part. A term that occurs nowhere in the catalog is treated as a typo of similar
//! words.

use std::cmp::Reverse;

use strsim::osa_distance;

use super::CatalogEntry;

/// The quality of a match; higher is better.
type Score = usize;

/// The scores of a match in one field: of a word, of the beginning of a word, and of any other
/// part.
type Scores = [Score; 3];

const NAME: Scores = [600, 500, 400];
const DESCRIPTION: Scores = [200, 150, 100];
const URI: Scores = [30, 20, 10];
/// Subtracted from a word's score for each wrong letter.
const SLIP: Score = 8;

/// An entry prepared for searching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    name: Field,
    description: Field,
    uri: Field,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// In lower case.
    text: String,
    words: Vec<Word>,
}

/// A word of a field, by its byte range there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    start: usize,
    end: usize,
    letters: Letters,
}

struct Term {
    /// In lower case.
    text: String,
    letters: Letters,
    /// Number of wrong letters that are tolerated.
    slips: usize,
}

/// A set of the letters and digits in a word, to exclude most words without computing a distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Letters(u64);

/// Returns the entries that match every term, as indexes in `texts`: the best first, and equal
/// ones in their order. Without terms, all.
pub(super) fn ranked(texts: &[Text], terms: &[String]) -> Vec<usize> {
    let mut found: Vec<(usize, Score)> = (0..texts.len()).map(|place| (place, 0)).collect();
    for term in terms.iter().map(|term| Term::new(term)) {
        let is_known = texts.iter().any(|text| text.contains(&term.text));
        found.retain_mut(|(place, sum)| {
            let text = &texts[*place];
            let score = match is_known {
                true => text.score(|field, scores| field.plain(&term, scores)),
                false => text.score(|field, scores| field.near(&term, scores)),
            };
            *sum += score.unwrap_or(0);
            score.is_some()
        });
        if found.is_empty() {
            break;
        }
    }
    found.sort_by_key(|(_, sum)| Reverse(*sum));
    found.into_iter().map(|(place, _)| place).collect()
}

impl Text {
    pub(super) fn of(entry: &CatalogEntry) -> Self {
        let mut name = Field::new(&entry.name);
        // A name as a whole also counts as one word.
        name.words.push(Word::new(&name.text, 0, name.text.len()));
        Text {
            name,
            description: Field::new(&entry.description),
            uri: Field::new(&entry.uri),
        }
    }

    /// Whether the term, in lower case, occurs in any field.
    pub(super) fn contains(&self, term: &str) -> bool {
        let fields = [&self.name, &self.description, &self.uri];
        fields.into_iter().any(|field| field.text.contains(term))
    }

    /// Returns the score of the best field.
    fn score(&self, of: impl Fn(&Field, Scores) -> Option<Score>) -> Option<Score> {
        let fields = [
            (&self.name, NAME),
            (&self.description, DESCRIPTION),
            (&self.uri, URI),
        ];
        // Each field counts less than the one before, so the first match is the best.
        fields
            .into_iter()
            .find_map(|(field, scores)| of(field, scores))
    }
}

impl Field {
    fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        let mut words = Vec::new();
        let mut start = 0;
        for part in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
            let word = part.trim_end_matches(|c: char| !c.is_alphanumeric());
            if !word.is_empty() {
                words.push(Word::new(&text, start, start + word.len()));
            }
            start += part.len();
        }
        Field { text, words }
    }

    fn words(&self) -> impl Iterator<Item = (&str, Letters)> {
        let words = self.words.iter();
        words.map(|word| (&self.text[word.start..word.end], word.letters))
    }

    /// Returns the score of a term that occurs in the field.
    fn plain(&self, term: &Term, [word, beginning, part]: Scores) -> Option<Score> {
        let occurs = self.text.contains(&term.text);
        occurs.then(|| {
            let of = |text: &str| match text.strip_prefix(&*term.text) {
                Some("") => word,
                Some(_) => beginning,
                None => part,
            };
            self.words()
                .map(|(text, _)| of(text))
                .fold(part, Score::max)
        })
    }

    /// Returns the score of a term that is a typo of a word in the field.
    fn near(&self, term: &Term, [word, ..]: Scores) -> Option<Score> {
        let near = self.words().filter_map(|(text, letters)| {
            let is_candidate = text.len().abs_diff(term.text.len()) <= term.slips
                && letters.may_become(term.letters, term.slips);
            let distance = is_candidate.then(|| osa_distance(&term.text, text))?;
            (distance <= term.slips).then(|| word.saturating_sub(SLIP * distance))
        });
        near.max()
    }
}

impl Word {
    fn new(text: &str, start: usize, end: usize) -> Self {
        Word {
            start,
            end,
            letters: Letters::of(&text[start..end]),
        }
    }
}

impl Term {
    fn new(text: &str) -> Self {
        Term {
            letters: Letters::of(text),
            slips: match text.chars().count() {
                ..4 => 0,
                4..8 => 1,
                _ => 2,
            },
            text: text.to_owned(),
        }
    }
}

impl Letters {
    fn of(word: &str) -> Self {
        let bits = word.bytes().map(|letter| 1_u64 << (letter % 64));
        Letters(bits.fold(0, |all, bit| all | bit))
    }

    /// Whether this many typos can turn one word into the other: each removes one letter and adds
    /// one.
    fn may_become(self, other: Self, slips: usize) -> bool {
        (self.0 ^ other.0).count_ones() as usize <= 2 * slips
    }
}
