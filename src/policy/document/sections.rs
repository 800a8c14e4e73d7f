//! The parts of the document, key by key.

use std::str::FromStr;

use super::node::Node;
use super::reader::Reader;
use crate::policy::environment::{EnvironmentPermissions, EnvironmentRule, ValueSource};
use crate::policy::error::{InvalidPermission, PolicyError};
use crate::policy::limits::{LimitRule, Limits};
use crate::policy::network::{NetworkPermissions, NetworkRule};
use crate::policy::storage::{Access, StoragePermissions, StorageRule};

/// Entries of one list, at most.
const MOST: usize = 1024;

/// Characters of a value in the policy, at most.
const LONGEST_VALUE: usize = 32 * 1024;

fn parse<T: FromStr<Err = InvalidPermission>>(reader: Reader) -> Result<T, PolicyError> {
    let (at, path) = (reader.at, reader.path.clone());
    reader
        .text()?
        .parse()
        .map_err(|error: InvalidPermission| PolicyError::Invalid {
            at,
            path,
            problem: error.to_string(),
        })
}

fn list<T>(
    list: Option<Reader>,
    one: fn(Reader) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    match list {
        None => Ok(Vec::new()),
        Some(reader) => reader.list(MOST)?.into_iter().map(one).collect(),
    }
}

pub fn network(reader: Reader) -> Result<NetworkPermissions, PolicyError> {
    let mut fields = reader.fields(&["allow", "deny"])?;
    Ok(NetworkPermissions {
        allow: list(fields.take("allow"), network_rule)?,
        deny: list(fields.take("deny"), network_rule)?,
    })
}

fn network_rule(reader: Reader) -> Result<NetworkRule, PolicyError> {
    let mut fields = reader.fields(&["host", "cidr"])?;
    match (fields.take("host"), fields.take("cidr")) {
        (Some(host), None) => parse(host).map(NetworkRule::Host),
        (None, Some(cidr)) => parse(cidr).map(NetworkRule::Cidr),
        _ => Err(fields.wrong("give either `host` or `cidr`")),
    }
}

pub fn storage(reader: Reader) -> Result<StoragePermissions, PolicyError> {
    let mut fields = reader.fields(&["allow", "deny"])?;
    Ok(StoragePermissions {
        allow: list(fields.take("allow"), storage_allow)?,
        deny: list(fields.take("deny"), storage_deny)?,
    })
}

fn storage_allow(reader: Reader) -> Result<StorageRule, PolicyError> {
    let mut fields = reader.fields(&["uri", "access"])?;
    Ok(StorageRule {
        uri: parse(fields.need("uri")?)?,
        access: access(fields.need("access")?)?,
    })
}

fn storage_deny(reader: Reader) -> Result<StorageRule, PolicyError> {
    let mut fields = reader.fields(&["uri", "access"])?;
    Ok(StorageRule {
        uri: parse(fields.need("uri")?)?,
        access: match fields.take("access") {
            Some(reader) => access(reader)?,
            None => Access::READ_WRITE,
        },
    })
}

fn access(reader: Reader) -> Result<Access, PolicyError> {
    let (at, path) = (reader.at, reader.path.clone());
    let mut access = Access::NONE;
    for mode in reader.list(2)? {
        let (at, path) = (mode.at, mode.path.clone());
        let text = mode.text()?;
        match Access::parse_mode(&text) {
            Some(mode) => access = access | mode,
            None => {
                let problem = "`read` or `write` is expected here".to_owned();
                return Err(PolicyError::Invalid { at, path, problem });
            }
        }
    }
    if access.is_none() {
        let problem = "no access is listed: `read`, `write` or both".to_owned();
        return Err(PolicyError::Invalid { at, path, problem });
    }
    Ok(access)
}

pub fn environment(reader: Reader) -> Result<EnvironmentPermissions, PolicyError> {
    let mut fields = reader.fields(&["allow"])?;
    let allow = list(fields.take("allow"), environment_rule)?;
    Ok(EnvironmentPermissions { allow })
}

fn environment_rule(reader: Reader) -> Result<EnvironmentRule, PolicyError> {
    let mut fields = reader.fields(&["key", "value", "value_from"])?;
    let key = fields.need("key")?;
    let source = match (fields.take("value"), fields.take("value_from")) {
        (None, None) => ValueSource::Inherit,
        (Some(value), None) => ValueSource::Value(plain_value(value)?),
        (None, Some(from)) => value_from(from)?,
        (Some(_), Some(_)) => return Err(fields.wrong("give either `value` or `value_from`")),
    };
    let (at, path) = (key.at, key.path.clone());
    EnvironmentRule::new(&key.text()?, source).map_err(|error| PolicyError::Invalid {
        at,
        path,
        problem: error.to_string(),
    })
}

fn plain_value(reader: Reader) -> Result<String, PolicyError> {
    let (at, path) = (reader.at, reader.path.clone());
    let value = reader.text()?;
    let problem = match value {
        value if value.contains('\0') => "a value holds no null byte".to_owned(),
        value if value.len() > LONGEST_VALUE => {
            format!("a value has at most {LONGEST_VALUE} bytes")
        }
        value => return Ok(value),
    };
    Err(PolicyError::Invalid { at, path, problem })
}

fn value_from(reader: Reader) -> Result<ValueSource, PolicyError> {
    let (at, path) = (reader.at, reader.path.clone());
    match reader.text()?.as_str() {
        "secret" => Ok(ValueSource::Secret),
        _ => Err(PolicyError::Invalid {
            at,
            path,
            problem: "`secret` is the one source there is".to_owned(),
        }),
    }
}

pub fn resources(reader: Reader) -> Result<Limits, PolicyError> {
    let mut fields = reader.fields(&["limits"])?;
    match fields.take("limits") {
        None => Ok(Limits::default()),
        Some(reader) => limits(reader),
    }
}

fn limits(reader: Reader) -> Result<Limits, PolicyError> {
    const KEYS: [&str; 5] = ["memory", "cpu", "time", "instances", "output"];
    let mut fields = reader.fields(&KEYS)?;
    let mut limits = Limits::default();
    for key in KEYS {
        if let Some(reader) = fields.take(key) {
            limits.set(limit(key, reader)?);
        }
    }
    Ok(limits)
}

fn limit(key: &str, reader: Reader) -> Result<LimitRule, PolicyError> {
    let text = match &reader.node {
        Node::Text(text) => text.clone(),
        // Rust writes a whole float without a point.
        Node::Number(number) => number.to_string(),
        _ => return Err(reader.wrong("a number or text is expected here")),
    };
    LimitRule::parse(key, &text).map_err(|error| reader.wrong(error.to_string()))
}
