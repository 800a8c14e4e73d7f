//! Paths with wildcards, matched segment by segment.

use std::fmt::{self, Write};

use crate::text::is_invisible;

/// One part of a path pattern between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// `**`: any number of names, also none.
    AnyDepth,
    /// A name in which `*` stood between these pieces; one piece is the name
    /// itself.
    Name(Vec<String>),
}

impl Segment {
    /// The name itself, when there is no wildcard in it.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Segment::Name(pieces) => match pieces.as_slice() {
                [name] => Some(name),
                _ => None,
            },
            Segment::AnyDepth => None,
        }
    }

    /// Whether it is a lone `*`.
    fn is_any_name(&self) -> bool {
        matches!(self, Segment::Name(pieces) if pieces.len() > 1 && pieces.iter().all(String::is_empty))
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Segment::AnyDepth => true,
            Segment::Name(pieces) => matches_pieces(pieces, name),
        }
    }

    /// Whether every name of `other`, a name pattern, is one of `self`'s.
    fn covers(&self, other: &Segment) -> bool {
        match (self, other.literal()) {
            (Segment::AnyDepth, _) => true,
            (_, Some(name)) => self.matches(name),
            (_, None) => self == other || self.is_any_name(),
        }
    }
}

/// `pieces` in this order, the first and the last at the ends.
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
    // The leftmost place of each piece leaves the most for the others.
    for piece in middle {
        match left.find(piece.as_str()) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last.as_str())
}

/// The segments of a path pattern: at most [`Pattern::LONGEST`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pattern {
    segments: Vec<Segment>,
}

impl Pattern {
    /// Whether there is no wildcard in it.
    pub fn is_literal(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| segment.literal().is_some())
    }

    /// As many as [`States`] can tell apart.
    pub const LONGEST: usize = 126;

    pub fn new(segments: Vec<Segment>) -> Option<Self> {
        (segments.len() <= Pattern::LONGEST).then_some(Pattern { segments })
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether the pattern is about this very path.
    pub fn matches(&self, path: &[&str]) -> bool {
        self.after(path).contains(self.segments.len())
    }

    /// Whether it is about anything strictly below this directory.
    pub fn leads_below(&self, directory: &[&str]) -> bool {
        self.after(directory).any_before(self.segments.len())
    }

    /// Whether it is about this path or anything below.
    pub fn meets(&self, directory: &[&str]) -> bool {
        self.after(directory).any_before(self.segments.len() + 1)
    }

    /// Whether it is about this path and all that can ever be below.
    pub fn covers_tree(&self, directory: &[&str]) -> bool {
        match self.segments.split_last() {
            Some((Segment::AnyDepth, before)) => self.after(directory).contains(before.len()),
            _ => false,
        }
    }

    /// Whether every path of `other` is a path of `self`. May say no where
    /// yes would be true, never the other way round.
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

    /// The states that hold whatever names follow, none or many.
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

    /// Adds a state, and those reached from it because `**` may be nothing.
    fn enter(&self, states: &mut States, mut at: usize) {
        states.insert(at);
        while self.segments.get(at) == Some(&Segment::AnyDepth) {
            at += 1;
            states.insert(at);
        }
    }
}

/// How many segments of a pattern may be behind us: the set of possibilities.
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

    /// Whether a possibility is less than `end`.
    fn any_before(self, end: usize) -> bool {
        self.0.trailing_zeros() < end as u32
    }

    fn intersection(self, other: States) -> States {
        States(self.0 & other.0)
    }
}

/// As a URI writes it: without the leading slash, special characters escaped.
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

/// Characters that mean something in patterns elsewhere; refused unescaped so
/// that nobody thinks they mean it here.
pub(super) const RESERVED: &[char] = &['?', '#', '[', ']', '{', '}', '\\'];

/// Characters that a shell would expand at the beginning of a name.
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
