//! Paths with wildcards, matched segment by segment.

use std::fmt::{self, Write};

use crate::text::is_invisible;

/// One segment of a path pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// `**`: any number of names, including none.
    AnyDepth,
    /// A name, split at each `*`. One piece means no wildcard.
    Name(Vec<String>),
}

impl Segment {
    /// Returns the name, if it has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Segment::Name(pieces) => match pieces.as_slice() {
                [name] => Some(name),
                _ => None,
            },
            Segment::AnyDepth => None,
        }
    }

    /// Whether the segment is `*` and so matches every name.
    fn is_any_name(&self) -> bool {
        matches!(self, Segment::Name(pieces) if pieces.len() > 1 && pieces.iter().all(String::is_empty))
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Segment::AnyDepth => true,
            Segment::Name(pieces) => matches_pieces(pieces, name),
        }
    }

    /// Whether `self` matches every name that `other`, a name pattern, matches. May return `false`
    /// for two patterns with wildcards although it does.
    fn covers(&self, other: &Segment) -> bool {
        match (self, other.literal()) {
            (Segment::AnyDepth, _) => true,
            (_, Some(name)) => self.matches(name),
            (_, None) => self == other || self.is_any_name(),
        }
    }
}

/// Whether `name` starts with the first piece, ends with the last, and contains the others in
/// between, in this order.
fn matches_pieces(pieces: &[String], name: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return name.is_empty();
    };
    let Some((last, middle)) = rest.split_last() else {
        return name == first;
    };
    let Some(mut left) = name.strip_prefix(first.as_str()) else {
        return false;
    };
    // Greedy: the leftmost match of each piece leaves the most text for the
    // rest.
    for piece in middle {
        match left.find(piece.as_str()) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last.as_str())
}

/// A path pattern of at most [`Pattern::LONGEST`] segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pattern {
    segments: Vec<Segment>,
}

impl Pattern {
    /// Whether no segment has a wildcard.
    pub fn is_literal(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| segment.literal().is_some())
    }

    /// Most segments, limited by the bit set [`States`].
    pub const LONGEST: usize = 126;

    /// Returns `None` if there are more than [`Pattern::LONGEST`] segments.
    pub fn new(segments: Vec<Segment>) -> Option<Self> {
        (segments.len() <= Pattern::LONGEST).then_some(Pattern { segments })
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether the pattern matches this path.
    pub fn matches(&self, path: &[&str]) -> bool {
        self.after(path).contains(self.segments.len())
    }

    /// Whether the pattern can match a path strictly below this directory.
    pub fn leads_below(&self, directory: &[&str]) -> bool {
        self.after(directory).any_before(self.segments.len())
    }

    /// Whether the pattern matches this path or can match one below it.
    pub fn meets(&self, directory: &[&str]) -> bool {
        self.after(directory).any_before(self.segments.len() + 1)
    }

    /// Whether the pattern matches this path and every path below it.
    pub fn covers_tree(&self, directory: &[&str]) -> bool {
        match self.segments.split_last() {
            Some((Segment::AnyDepth, before)) => self.after(directory).contains(before.len()),
            _ => false,
        }
    }

    /// Whether `self` matches every path that `other` matches. Conservative:
    /// may return `false` although it does, never `true` although it does not.
    pub fn covers(&self, other: &Pattern) -> bool {
        let mut states = self.start();
        for segment in &other.segments {
            states = match segment {
                Segment::AnyDepth => self.guaranteed(states),
                name => self.step(states, |own| own.covers(name)),
            };
        }
        states.contains(self.segments.len())
    }

    /// Returns the states that stay set whatever names follow, including none.
    fn guaranteed(&self, mut states: States) -> States {
        loop {
            let next = self.step(states, |own| *own == Segment::AnyDepth || own.is_any_name());
            let both = states.intersection(next);
            if both == states {
                return states;
            }
            states = both;
        }
    }

    fn after(&self, path: &[&str]) -> States {
        path.iter().fold(self.start(), |states, name| {
            self.step(states, |segment| segment.matches(name))
        })
    }

    fn start(&self) -> States {
        let mut states = States::NONE;
        self.enter(&mut states, 0);
        states
    }

    fn step(&self, states: States, accepts: impl Fn(&Segment) -> bool) -> States {
        let mut next = States::NONE;
        for (at, segment) in self.segments.iter().enumerate() {
            if states.contains(at) && accepts(segment) {
                match segment {
                    Segment::AnyDepth => self.enter(&mut next, at),
                    Segment::Name(_) => self.enter(&mut next, at + 1),
                }
            }
        }
        next
    }

    /// Adds a state, and the states after each following `**`, which may match
    /// no name.
    fn enter(&self, states: &mut States, mut at: usize) {
        states.insert(at);
        while self.segments.get(at) == Some(&Segment::AnyDepth) {
            at += 1;
            states.insert(at);
        }
    }
}

/// States of the pattern as a nondeterministic automaton: bit `n` is set if
/// the first `n` segments may have matched the path so far.
#[derive(Clone, Copy, PartialEq, Eq)]
struct States(u128);

impl States {
    const NONE: States = States(0);

    fn insert(&mut self, at: usize) {
        self.0 |= 1 << at;
    }

    fn contains(self, at: usize) -> bool {
        self.0 >> at & 1 == 1
    }

    /// Whether a state below `end` is set.
    fn any_before(self, end: usize) -> bool {
        self.0.trailing_zeros() < end as u32
    }

    fn intersection(self, other: States) -> States {
        States(self.0 & other.0)
    }
}

/// The form in a URI: without the leading slash, special characters escaped.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments.iter().enumerate() {
            if at > 0 {
                f.write_char('/')?;
            }
            match segment {
                Segment::AnyDepth => f.write_str("**")?,
                Segment::Name(pieces) => {
                    for (at, piece) in pieces.iter().enumerate() {
                        if at > 0 {
                            f.write_char('*')?;
                        }
                        escape(piece, f)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Characters with a meaning in other glob syntaxes. They must be escaped, so that no one expects
/// that meaning here.
pub(super) const RESERVED: &[char] = &['?', '#', '[', ']', '{', '}', '\\'];

/// Characters that a shell expands at the beginning of a word.
pub(super) const SHELL: &[char] = &['~', '$'];

fn escape(piece: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in piece.chars() {
        let hides = c.is_control() || c.is_whitespace() && c != ' ' || is_invisible(c);
        if hides || RESERVED.contains(&c) || SHELL.contains(&c) || matches!(c, '%' | '*' | '`') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}
