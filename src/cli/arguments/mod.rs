//! A tool's arguments as people write them: `--name value`.

mod describe;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::error::{Class, Diagnose};
use crate::schema::Spellings;
use crate::text::{Foreign, nearest};
use crate::toolbox::Tool;

pub use describe::arguments;
use describe::{alternatives, takes};

/// The reason why the words after a tool's name are not valid arguments.
#[derive(Debug, thiserror::Error)]
pub enum BadArgument {
    #[error("`{tool}` has no argument `{name}`")]
    Unknown {
        tool: String,
        name: Foreign,
        similar: Option<String>,
        known: Vec<String>,
    },
    #[error("`{word}` is not an argument of `{tool}`: arguments are given as `--NAME VALUE`")]
    Bare {
        tool: String,
        word: Foreign,
        known: Vec<String>,
    },
    #[error("The argument `--{name}` has no value")]
    NoValue { name: String },
    #[error("The argument `--{name}` is given twice")]
    Twice { name: String },
}

impl Diagnose for BadArgument {
    fn code(&self) -> &'static str {
        "invalid-arguments"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            BadArgument::Unknown { tool, similar, .. } => Some(match similar {
                Some(similar) => format!("did you mean `--{similar}`?"),
                None => format!("`wassette tools {tool}` describes its arguments"),
            }),
            BadArgument::Bare { tool, .. } => {
                Some(format!("`wassette tools {tool}` shows an example"))
            }
            BadArgument::NoValue { .. } | BadArgument::Twice { .. } => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            BadArgument::Unknown { known, .. } | BadArgument::Bare { known, .. } => {
                let known = match known.is_empty() {
                    true => "none".to_owned(),
                    false => known.join(", "),
                };
                vec![("arguments", known)]
            }
            _ => Vec::new(),
        }
    }
}

/// Reads `--name value`, `--name=value` and, for booleans, `--name` alone.
///
/// A value is taken as text if the tool accepts a string, and as JSON otherwise. The values of a
/// repeated argument form a list. A name may be another spelling of an argument's; the
/// result has it as it was given.
///
/// # Errors
///
/// [`BadArgument`]; the values' types are checked by the call.
pub fn parse(tool: &Tool, words: &[String]) -> Result<Map<String, Value>, BadArgument> {
    let known = arguments(tool);
    let names = || {
        known
            .iter()
            .map(|argument| format!("--{}", argument.name))
            .collect()
    };
    let spellings = Spellings::new(known.iter().map(|argument| argument.name));
    let mut parsed = Map::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(text) = word.strip_prefix("--") else {
            return Err(BadArgument::Bare {
                tool: tool.name.clone(),
                word: word.into(),
                known: names(),
            });
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let exact = known.iter().find(|argument| argument.name == name);
        let meant = || spellings.meant(name).map(|index| &known[index]);
        let Some(argument) = exact.or_else(meant) else {
            let near = nearest(name, known.iter().map(|argument| argument.name));
            return Err(BadArgument::Unknown {
                tool: tool.name.clone(),
                name: name.into(),
                similar: near.first().map(|name| (*name).to_owned()),
                known: names(),
            });
        };
        let is_switch = takes(argument.schema, "boolean");
        let follows = |next: &&&String| match is_switch {
            true => ["true", "false"].contains(&next.as_str()),
            false => !next.starts_with("--"),
        };
        let value = match value {
            Some(value) => value,
            None => match words.next_if(|next| follows(&next)) {
                Some(next) => next.clone(),
                None if is_switch => "true".to_owned(),
                None => return Err(BadArgument::NoValue { name: name.into() }),
            },
        };
        add(&mut parsed, name, argument.schema, &value)?;
    }
    Ok(parsed)
}

fn add(
    parsed: &mut Map<String, Value>,
    name: &str,
    schema: &Value,
    text: &str,
) -> Result<(), BadArgument> {
    let name = name.to_owned();
    let mut list = alternatives(schema).into_iter();
    let Some(list) = list.find(|one| one["type"] == "array") else {
        return match parsed.insert(name.clone(), value(schema, text)) {
            None => Ok(()),
            Some(_) => Err(BadArgument::Twice { name }),
        };
    };
    let items = match serde_json::from_str(text) {
        Ok(Value::Array(items)) => items,
        // Bytes are given as one base64 text, if the tool accepts it.
        _ if takes(schema, "string") => {
            parsed.insert(name, text.into());
            return Ok(());
        }
        _ => vec![value(&list["items"], text)],
    };
    match parsed.entry(name).or_insert_with(|| json!([])) {
        Value::Array(all) => all.extend(items),
        other => *other = items.into(),
    }
    Ok(())
}

fn value(schema: &Value, text: &str) -> Value {
    match takes(schema, "string") {
        true => text.into(),
        false => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}
