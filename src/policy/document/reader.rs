//! Walks the YAML tree and reports unknown keys and values of the wrong type.

use serde_json::Value;

use super::keys::Keys;
use super::node::{Key, Node, Placed};
use crate::policy::error::{InvalidPermission, Place, PolicyError, excerpt};
use crate::text::nearest;

/// The position of a value in the text, and its path in the document.
#[derive(Clone, Debug)]
pub struct Spot {
    at: Place,
    /// For example `permissions.network.allow[0].host`.
    path: String,
}

impl Spot {
    pub fn place(&self) -> Place {
        self.at
    }

    pub fn wrong(&self, problem: impl Into<String>) -> PolicyError {
        PolicyError::Invalid {
            at: self.at,
            path: self.path.clone(),
            problem: problem.into(),
        }
    }

    /// Turns the error of a value into a [`PolicyError`] with this position.
    pub fn mark<T>(&self, value: Result<T, InvalidPermission>) -> Result<T, PolicyError> {
        value.map_err(|error| self.wrong(error.to_string()))
    }
}

/// A value and its position.
pub struct Reader {
    pub spot: Spot,
    pub node: Node,
}

impl Reader {
    pub fn new(root: Placed) -> Self {
        Reader {
            spot: Spot {
                at: root.at,
                path: String::new(),
            },
            node: root.node,
        }
    }

    /// Returns `None` for a YAML null, which means an empty list or mapping here.
    pub fn unless_null(self) -> Option<Self> {
        (!matches!(self.node, Node::Null)).then_some(self)
    }

    fn expected(&self, what: &str) -> PolicyError {
        let found = self.node.kind();
        self.spot
            .wrong(format!("{what} is expected here, not {found}"))
    }

    /// Returns a string. For a number or boolean, the error says to quote it.
    pub fn text(self) -> Result<String, PolicyError> {
        match self.node {
            Node::Text(text) => Ok(text),
            Node::Number(_) | Node::Bool(_) => {
                let kind = self.node.kind();
                Err(self.spot.wrong(format!(
                    "text is expected here, not {kind}: put it in quotes"
                )))
            }
            _ => Err(self.expected("text")),
        }
    }

    /// Returns text, or a number converted to text.
    pub fn text_or_number(self) -> Result<String, PolicyError> {
        match self.node {
            Node::Number(number) => Ok(number.to_string()),
            Node::Text(text) => Ok(text),
            _ => Err(self.expected("text or a number")),
        }
    }

    /// Returns the items of a list of at most `most` items.
    pub fn list(self, most: usize) -> Result<Vec<Reader>, PolicyError> {
        let Node::List(items) = self.node else {
            return Err(self.expected("a list"));
        };
        if items.len() > most {
            let count = items.len();
            return Err(self
                .spot
                .wrong(format!("a list of {count} is too long: at most {most}")));
        }
        let path = self.spot.path;
        let readers = items.into_iter().enumerate().map(|(index, item)| Reader {
            spot: Spot {
                at: item.at,
                path: format!("{path}[{index}]"),
            },
            node: item.node,
        });
        Ok(readers.collect())
    }

    /// Returns the entries of a mapping with at most `most` keys, which can be any names.
    pub fn entries(self, most: usize) -> Result<Vec<(Key, Reader)>, PolicyError> {
        let Node::Map(entries) = self.node else {
            return Err(self.expected("a mapping"));
        };
        if entries.len() > most {
            let count = entries.len();
            return Err(self
                .spot
                .wrong(format!("a mapping of {count} is too long: at most {most}")));
        }
        let path = self.spot.path;
        let readers = entries.into_iter().map(|(key, value)| {
            let path = format!("{path}.{}", excerpt(&key.name));
            let spot = Spot { at: value.at, path };
            let node = value.node;
            (key, Reader { spot, node })
        });
        Ok(readers.collect())
    }

    /// Converts any value to JSON.
    pub fn json(self) -> Result<Value, PolicyError> {
        let Reader { mut spot, node } = self;
        let value = Placed { at: spot.at, node };
        value.to_json().map_err(|at| {
            spot.at = at;
            spot.wrong("this number cannot be sent as JSON")
        })
    }

    /// Returns the entries of a mapping, all of whose keys must be known.
    pub fn fields(self, keys: &Keys) -> Result<Fields, PolicyError> {
        let Node::Map(entries) = self.node else {
            return Err(self.expected("a mapping"));
        };
        let stranger = entries
            .iter()
            .find(|(key, _)| !keys.known.contains(&key.name.as_str()));
        match stranger {
            None => Ok(Fields {
                spot: self.spot,
                entries,
            }),
            Some((key, _)) => Err(PolicyError::Invalid {
                at: key.at,
                path: self.spot.path,
                problem: strange(&key.name, keys),
            }),
        }
    }
}

fn strange(name: &str, keys: &Keys) -> String {
    let shown = excerpt(name);
    if let Some((_, reason)) = keys.refused.iter().find(|(known, _)| *known == name) {
        return format!("`{shown}` is not supported here: {reason}");
    }
    match nearest(name, keys.known.iter().copied()).first() {
        Some(meant) => format!("unknown key `{shown}`; did you mean `{meant}`?"),
        None => format!(
            "unknown key `{shown}`; the keys here are `{}`",
            keys.known.join("`, `")
        ),
    }
}

/// The entries of a mapping.
pub struct Fields {
    pub spot: Spot,
    entries: Vec<(Key, Placed)>,
}

impl Fields {
    /// Removes and returns the value of a key.
    pub fn take(&mut self, name: &str) -> Option<Reader> {
        let index = self.entries.iter().position(|(key, _)| key.name == name)?;
        let (key, value) = self.entries.remove(index);
        let path = match self.spot.path.as_str() {
            "" => key.name,
            path => format!("{path}.{}", key.name),
        };
        Some(Reader {
            spot: Spot { at: value.at, path },
            node: value.node,
        })
    }

    /// Like [`Fields::take`], but a missing key is an error.
    pub fn need(&mut self, name: &str) -> Result<Reader, PolicyError> {
        self.take(name)
            .ok_or_else(|| self.spot.wrong(format!("the key `{name}` is missing")))
    }
}
