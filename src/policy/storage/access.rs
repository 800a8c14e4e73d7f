//! Access modes of files: read and write.

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

/// A set of access modes for a file or directory.
///
/// `read` on a directory lists it; `write` creates, renames and removes its
/// entries.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    pub const NONE: Access = Access(0);
    pub const READ: Access = Access(1);
    pub const WRITE: Access = Access(2);
    pub const READ_WRITE: Access = Access(3);

    /// Whether all of `other` is in `self`.
    pub fn contains(self, other: Access) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn is_none(self) -> bool {
        self == Access::NONE
    }

    /// Returns the single modes in `self`, in the order `read`, `write`.
    pub fn modes(self) -> impl Iterator<Item = Access> {
        [Access::READ, Access::WRITE]
            .into_iter()
            .filter(move |mode| self.contains(*mode))
    }

    /// Parses `read` or `write`.
    pub fn parse_mode(text: &str) -> Option<Access> {
        match text {
            "read" => Some(Access::READ),
            "write" => Some(Access::WRITE),
            _ => None,
        }
    }

    /// Returns the modes in policy syntax.
    pub fn names(self) -> Vec<&'static str> {
        self.modes()
            .map(|mode| {
                if mode == Access::READ {
                    "read"
                } else {
                    "write"
                }
            })
            .collect()
    }
}

impl BitOr for Access {
    type Output = Access;

    fn bitor(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }
}

impl BitAnd for Access {
    type Output = Access;

    fn bitand(self, other: Access) -> Access {
        Access(self.0 & other.0)
    }
}

impl Sub for Access {
    type Output = Access;

    fn sub(self, other: Access) -> Access {
        Access(self.0 & !other.0)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({self})")
    }
}

/// For people: `read and write`.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names().as_slice() {
            [] => f.write_str("nothing"),
            names => f.write_str(&names.join(" and ")),
        }
    }
}
