//! Walks the tree: every key is taken, and a key that nobody takes is an error.

use super::node::{Key, Node, Placed};
use crate::policy::error::{Place, PolicyError, excerpt};

/// A value and its place in the document.
pub struct Reader {
    pub at: Place,
    pub path: String,
    pub node: Node,
}

impl Reader {
    pub fn new(root: Placed) -> Self {
        Reader {
            at: root.at,
            path: String::new(),
            node: root.node,
        }
    }

    pub fn wrong(&self, problem: impl Into<String>) -> PolicyError {
        PolicyError::Invalid {
            at: self.at,
            path: self.path.clone(),
            problem: problem.into(),
        }
    }

    fn expected(&self, what: &str) -> PolicyError {
        self.wrong(format!("{what} is expected here, not {}", self.node.kind()))
    }

    pub fn text(self) -> Result<String, PolicyError> {
        match self.node {
            Node::Text(text) => Ok(text),
            Node::Number(_) | Node::Bool => Err(self.wrong(format!(
                "text is expected here: put {} in quotes",
                self.node.kind()
            ))),
            _ => Err(self.expected("text")),
        }
    }

    pub fn list(self, most: usize) -> Result<Vec<Reader>, PolicyError> {
        match self.node {
            Node::List(items) if items.len() > most => Err(PolicyError::Invalid {
                at: self.at,
                path: self.path,
                problem: format!("{} entries are more than {most}", items.len()),
            }),
            Node::List(items) => Ok(items
                .into_iter()
                .enumerate()
                .map(|(index, item)| Reader {
                    at: item.at,
                    path: format!("{}[{index}]", self.path),
                    node: item.node,
                })
                .collect()),
            _ => Err(self.expected("a list")),
        }
    }

    pub fn fields(self, known: &'static [&'static str]) -> Result<Fields, PolicyError> {
        let Node::Map(entries) = self.node else {
            return Err(self.expected("a mapping"));
        };
        let fields = Fields {
            at: self.at,
            path: self.path,
            entries,
        };
        fields.check(known)?;
        Ok(fields)
    }
}

/// The entries of a mapping.
pub struct Fields {
    at: Place,
    path: String,
    entries: Vec<(Key, Placed)>,
}

impl Fields {
    fn check(&self, known: &'static [&'static str]) -> Result<(), PolicyError> {
        match self
            .entries
            .iter()
            .find(|(key, _)| !known.contains(&key.name.as_str()))
        {
            None => Ok(()),
            Some((key, _)) => Err(PolicyError::Invalid {
                at: key.at,
                path: self.path.clone(),
                problem: format!(
                    "unknown key `{}`; known here: {}",
                    excerpt(&key.name),
                    known.join(", ")
                ),
            }),
        }
    }

    pub fn wrong(&self, problem: impl Into<String>) -> PolicyError {
        PolicyError::Invalid {
            at: self.at,
            path: self.path.clone(),
            problem: problem.into(),
        }
    }

    pub fn take(&mut self, name: &str) -> Option<Reader> {
        let index = self.entries.iter().position(|(key, _)| key.name == name)?;
        let (key, value) = self.entries.remove(index);
        let path = match self.path.as_str() {
            "" => key.name,
            path => format!("{path}.{}", key.name),
        };
        Some(Reader {
            at: value.at,
            path,
            node: value.node,
        })
    }

    pub fn need(&mut self, name: &str) -> Result<Reader, PolicyError> {
        self.take(name)
            .ok_or_else(|| self.wrong(format!("the key `{name}` is missing")))
    }
}
