//! Paths to values in a JSON document, for messages.

use std::fmt;

/// The path from the root to the value being converted. A linked list on the
/// stack.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    step: Step<'a>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root(&'a str),
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(super) fn new(root: &'a str) -> Self {
        Path {
            step: Step::Root(root),
            depth: 0,
        }
    }

    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Path {
            step: Step::Field(self, name),
            depth: self.depth + 1,
        }
    }

    pub(super) fn index(&'a self, index: usize) -> Self {
        Path {
            step: Step::Index(self, index),
            depth: self.depth + 1,
        }
    }

    /// Number of steps from the root.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::Root(root) => f.write_str(root),
            Step::Field(parent, name) if is_plain(name) => write!(f, "{parent}.{name}"),
            Step::Field(parent, name) => {
                let short: String = name.chars().take(40).collect();
                write!(f, "{parent}[{short:?}]")
            }
            Step::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
