//! One file of a manifest, key by key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error::{In, ManifestError};
use super::lock::sorted;
use super::tools::tools;
use super::{Entry, Retry, Variables, Written};
use crate::catalog::Catalog;
use crate::config::TrustRule;
use crate::digest::Digest;
use crate::policy::document::{Fields, Keys, Node, Placed, Reader, Spot, permissions, tree};
use crate::policy::{Place, Policy, PolicyError, parse_duration};
use crate::reference::{ComponentId, Reference};
use crate::schema::rules::ToolRules;

/// Most entries of one file.
const MOST: usize = 1024;
const MOST_RETRIES: u32 = 100;
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

pub(super) const MANIFEST: Keys = Keys {
    known: &["version", "components", "include", "$schema"],
    refused: &[],
};

pub(super) const COMPONENT: Keys = Keys {
    known: &[
        "uri",
        "name",
        "digest",
        "permissions",
        "trust",
        "tools",
        "retry",
    ],
    refused: &[("id", "the id of a component is its `name`")],
};

pub(super) const RETRY: Keys = Keys {
    known: &["max", "delay"],
    refused: &[],
};

/// The base for the paths in a file of a manifest.
pub(super) enum Base {
    /// Relative paths start from this directory.
    Directory(PathBuf),
    /// The file is on the web: it has no paths and no variables.
    Web,
}

/// The content of one file.
pub(super) struct Part {
    pub entries: Vec<(Entry, Place)>,
    pub include: Vec<(PathBuf, Place)>,
}

pub(super) fn read(
    file: In<'_>,
    base: &Base,
    variables: &Variables<'_>,
) -> Result<Part, ManifestError> {
    let read = || {
        let mut root = tree(file.text)?;
        let raw = written(&root, file);
        if let Base::Directory(_) = base {
            variables.expand(&mut root)?;
        }
        manifest(Reader::new(root), raw, base)
    };
    read().map_err(|error| match file.found(error) {
        ManifestError::Wrong {
            file,
            at,
            problem,
            excerpt,
        } => ManifestError::Wrong {
            problem: variables.hide(&problem),
            file,
            at,
            excerpt,
        },
        error => error,
    })
}

/// Every entry as written, in order.
fn written(root: &Placed, file: In<'_>) -> Vec<Written> {
    let Node::Map(keys) = &root.node else {
        return Vec::new();
    };
    let components = keys.iter().find(|(key, _)| key.name == "components");
    let Some((
        _,
        Placed {
            node: Node::List(entries),
            ..
        },
    )) = components
    else {
        return Vec::new();
    };
    let entries = entries.iter().map(|entry| {
        let mut data = plain(&entry.node);
        let hash = Digest::of(data.to_string().as_bytes());
        Written {
            place: format!("{}:{}", file.file, entry.at.line),
            uri: data["uri"].as_str().unwrap_or_default().to_owned(),
            permissions: data
                .get_mut("permissions")
                .map(Value::take)
                .filter(|value| !value.is_null()),
            tools: match &data["tools"] {
                Value::Null => None,
                rules => Some(Digest::of(rules.to_string().as_bytes())),
            },
            hash,
        }
    });
    entries.collect()
}

/// The node as JSON with sorted keys; a missing value becomes null.
fn plain(value: &Node) -> Value {
    match value {
        Node::Null | Node::Bool(_) => Value::Null,
        Node::Number(number) => json!(number.to_string()),
        Node::Text(text) => json!(text),
        Node::List(items) => items.iter().map(|item| plain(&item.node)).collect(),
        Node::Map(entries) => {
            let mut entries: Vec<(String, Value)> = entries
                .iter()
                .map(|(key, value)| match key.name.as_str() {
                    // In these values, null and `false` differ.
                    "tools" => (key.name.clone(), exact(value)),
                    _ => (key.name.clone(), plain(&value.node)),
                })
                .filter(|(_, value)| !value.is_null())
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect::<Map<_, _>>())
        }
    }
}

fn exact(value: &Placed) -> Value {
    // A value that JSON cannot represent is refused when the entry is read.
    sorted(value.to_json().unwrap_or_default())
}

fn manifest(root: Reader, written: Vec<Written>, base: &Base) -> Result<Part, PolicyError> {
    let mut fields = root.fields(&MANIFEST)?;
    if let Some(version) = optional(&mut fields, "version") {
        let spot = version.spot.clone();
        if version.text_or_number()? != "1" {
            return Err(spot.wrong("the only version is `1`"));
        }
    }
    if let Some(schema) = optional(&mut fields, "$schema") {
        schema.text()?;
    }
    let include = match optional(&mut fields, "include") {
        None => Vec::new(),
        Some(list) => include(list, base)?,
    };
    let components = match include.is_empty() {
        true => Some(fields.need("components")?),
        false => fields.take("components"),
    };
    let entries = match components {
        None => Vec::new(),
        Some(list) => list.list(MOST)?,
    };
    let entries = entries.into_iter().zip(written).map(|(entry, written)| {
        let at = entry.spot.place();
        Ok((component(entry, written, base)?, at))
    });
    Ok(Part {
        entries: entries.collect::<Result<_, PolicyError>>()?,
        include,
    })
}

fn include(list: Reader, base: &Base) -> Result<Vec<(PathBuf, Place)>, PolicyError> {
    let spot = list.spot.clone();
    let Base::Directory(directory) = base else {
        return Err(spot.wrong("a manifest from the web includes nothing"));
    };
    let paths = list.list(MOST)?.into_iter().map(|path| {
        let spot = path.spot.clone();
        match path.text()?.as_str() {
            "" => Err(spot.wrong("a path is expected here")),
            path => Ok((directory.join(path), spot.place())),
        }
    });
    paths.collect()
}

fn component(entry: Reader, written: Written, base: &Base) -> Result<Entry, PolicyError> {
    let mut fields = entry.fields(&COMPONENT)?;
    let uri = fields.need("uri")?;
    let spot = uri.spot.clone();
    let text = uri.text()?;
    let reference = reference(&text, base).map_err(|problem| spot.wrong(problem))?;
    let id = match optional(&mut fields, "name") {
        None => reference.default_id().map_err(|error| {
            spot.wrong(format!(
                "no id can be made of this ({error}): give a `name`"
            ))
        })?,
        Some(name) => {
            let spot = name.spot.clone();
            parsed(spot, ComponentId::parse(&name.text()?))?
        }
    };
    let digest = match optional(&mut fields, "digest") {
        None => None,
        Some(digest) => {
            let spot = digest.spot.clone();
            Some(parsed(spot, digest.text()?.parse::<Digest>())?)
        }
    };
    let permissions = match optional(&mut fields, "permissions") {
        None => None,
        Some(reader) => {
            let mut policy = Policy::default();
            permissions(reader, &mut policy)?;
            Some(policy)
        }
    };
    let trust = match optional(&mut fields, "trust") {
        None => None,
        Some(reader) => Some(trust(reader, &reference, base)?),
    };
    let tools = match optional(&mut fields, "tools") {
        None => ToolRules::default(),
        Some(reader) => tools(reader)?,
    };
    let retry = match optional(&mut fields, "retry") {
        None => Retry::default(),
        Some(reader) => retry(reader)?,
    };
    Ok(Entry {
        reference,
        id,
        digest,
        permissions,
        trust,
        tools,
        retry,
        written,
    })
}

fn trust(reader: Reader, reference: &Reference, base: &Base) -> Result<TrustRule, PolicyError> {
    let spot = reader.spot;
    let Node::Map(_) = &reader.node else {
        let found = reader.node.kind();
        return Err(spot.wrong(format!("a mapping is expected here, not {found}")));
    };
    let keys = plain(&reader.node);
    let directory = match base {
        Base::Directory(directory) => directory.as_path(),
        Base::Web => Path::new(""),
    };
    let rule = parsed(spot.clone(), TrustRule::about(reference, keys, directory))?;
    match base {
        Base::Web if rule.names_files() => Err(spot.wrong(
            "a manifest from the web names no files of this machine: write the text of a key \
             into `keys`",
        )),
        _ => Ok(rule),
    }
}

fn retry(reader: Reader) -> Result<Retry, PolicyError> {
    let mut fields = reader.fields(&RETRY)?;
    let mut retry = Retry::default();
    if let Some(max) = optional(&mut fields, "max") {
        let spot = max.spot.clone();
        retry.max = match max.text_or_number()?.parse() {
            Ok(max) if max <= MOST_RETRIES => max,
            _ => {
                return Err(spot.wrong(format!(
                    "a whole number up to {MOST_RETRIES} is expected here"
                )));
            }
        };
    }
    if let Some(delay) = optional(&mut fields, "delay") {
        let spot = delay.spot.clone();
        let delay = parsed(spot.clone(), parse_duration(&delay.text_or_number()?))?;
        if delay > LONGEST_DELAY {
            return Err(spot.wrong("a pause is an hour at most"));
        }
        retry.delay = delay;
    }
    Ok(retry)
}

fn reference(text: &str, base: &Base) -> Result<Reference, String> {
    let is_name = !text.is_empty() && !text.contains(['/', '\\', '.', ':']);
    if is_name {
        let catalog = Catalog::bundled();
        let entry = catalog.get(text).map_err(|error| error.to_string())?;
        return entry.uri.parse().map_err(|error| format!("{error}"));
    }
    match base {
        Base::Directory(directory) => {
            Reference::parse(text, directory).map_err(|error| error.to_string())
        }
        Base::Web => match text.parse() {
            Ok(Reference::File(_) | Reference::Layout(_)) => {
                Err("a manifest from the web names no files of this machine".into())
            }
            parsed => parsed.map_err(|error| error.to_string()),
        },
    }
}

/// The value of an optional key.
pub(super) fn optional(fields: &mut Fields, key: &str) -> Option<Reader> {
    fields.take(key).and_then(Reader::unless_null)
}

fn parsed<T, E: std::fmt::Display>(spot: Spot, value: Result<T, E>) -> Result<T, PolicyError> {
    value.map_err(|error| spot.wrong(error.to_string()))
}

/// The directory of a file.
pub(super) fn directory_of(path: &Path) -> Base {
    Base::Directory(path.parent().unwrap_or(path).to_owned())
}
