//! A YAML tree in which each key and value has its position in the text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Spanned, Tagged};

use crate::policy::error::Place;

/// A value of the document.
#[derive(Debug)]
pub enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Placed>),
    Map(Vec<(Key, Placed)>),
}

/// A number as YAML's core schema understands it.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Whole(i128),
    Float(f64),
}

/// Displays decimal digits; floats without an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(number) => write!(f, "{number}"),
            Number::Float(number) => write!(f, "{number}"),
        }
    }
}

/// A key of a mapping, with its position.
#[derive(Debug)]
pub struct Key {
    pub at: Place,
    pub name: String,
}

/// A value with its position.
#[derive(Debug)]
pub struct Placed {
    pub at: Place,
    pub node: Node,
}

impl Placed {
    /// Converts the value to JSON, without positions. `Err` has the position of a number that JSON
    /// cannot represent.
    pub fn to_json(&self) -> Result<Value, Place> {
        Ok(match &self.node {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Number(Number::Whole(number)) => serde_json::Number::from_i128(*number)
                .ok_or(self.at)?
                .into(),
            Node::Number(Number::Float(number)) => {
                serde_json::Number::from_f64(*number).ok_or(self.at)?.into()
            }
            Node::Text(text) => Value::String(text.clone()),
            Node::List(items) => items
                .iter()
                .map(Placed::to_json)
                .collect::<Result<_, _>>()?,
            Node::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, value)| Ok((key.name.clone(), value.to_json()?)));
                Value::Object(entries.collect::<Result<_, _>>()?)
            }
        })
    }
}

impl Node {
    /// Returns the name of the kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Node::Null => "nothing",
            Node::Bool(_) => "a boolean",
            Node::Number(_) => "a number",
            Node::Text(_) => "text",
            Node::List(_) => "a list",
            Node::Map(_) => "a mapping",
        }
    }
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    Place {
        line: spanned.referenced.line(),
        column: spanned.referenced.column(),
    }
}

impl<'de> Deserialize<'de> for Placed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Tagged<Node>>::deserialize(deserializer)?;
        Ok(Placed {
            at: place(&spanned),
            node: untagged(spanned.value)?,
        })
    }
}

/// Rejects tags other than `!!str`. A tag such as `!!binary` changes the
/// meaning of the text, and a policy needs none. `!!str` only marks text as
/// text.
fn untagged<T, E: Error>(Tagged(value, tag): Tagged<T>) -> Result<T, E> {
    match tag.as_deref() {
        None | Some("tag:yaml.org,2002:str") => Ok(value),
        Some(tag) => {
            let tag = tag.replacen("tag:yaml.org,2002:", "!!", 1);
            Err(E::custom(format!("the tag `{tag}` is not supported here")))
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(Number::Whole(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(Number::Whole(value.into())))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Number(Number::Whole(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(Number::Float(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<Tagged<String>>>()? {
            let key = Key {
                at: place(&key),
                name: untagged(key.value)?,
            };
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}
