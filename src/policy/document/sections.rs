//! Parsers for the sections of the document.

use std::collections::HashSet;

use super::keys;
use super::reader::{Reader, Spot};
use crate::policy::environment::{EnvironmentPermissions, EnvironmentRule, ValueSource};
use crate::policy::error::PolicyError;
use crate::policy::limits::{LimitRule, Limits};
use crate::policy::network::{NetworkPermissions, NetworkRule};
use crate::policy::quantity;
use crate::policy::storage::{Access, StoragePermissions, StorageRule, StorageUri};

/// Most entries of one list.
const MOST: usize = 1024;

/// Reads each item of an optional list.
fn each<T>(
    list: Option<Reader>,
    read: fn(Reader) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    match list.and_then(Reader::unless_null) {
        None => Ok(Vec::new()),
        Some(list) => list.list(MOST)?.into_iter().map(read).collect(),
    }
}

pub fn network(reader: Reader) -> Result<NetworkPermissions, PolicyError> {
    let mut fields = reader.fields(&keys::LISTS)?;
    Ok(NetworkPermissions {
        allow: each(fields.take("allow"), network_rule)?,
        deny: each(fields.take("deny"), network_rule)?,
    })
}

pub fn network_rule(reader: Reader) -> Result<NetworkRule, PolicyError> {
    let mut fields = reader.fields(&keys::NETWORK_RULE)?;
    match (fields.take("host"), fields.take("cidr")) {
        (Some(host), None) => {
            let spot = host.spot.clone();
            spot.mark(host.text()?.parse()).map(NetworkRule::Host)
        }
        (None, Some(cidr)) => {
            let spot = cidr.spot.clone();
            spot.mark(cidr.text()?.parse()).map(NetworkRule::Cidr)
        }
        (Some(_), Some(_)) => Err(fields.spot.wrong("an entry has either `host` or `cidr`")),
        (None, None) => Err(fields.spot.wrong("the key `host` or `cidr` is missing")),
    }
}

pub fn storage(reader: Reader) -> Result<StoragePermissions, PolicyError> {
    let mut fields = reader.fields(&keys::LISTS)?;
    Ok(StoragePermissions {
        allow: each(fields.take("allow"), storage_allow)?,
        deny: each(fields.take("deny"), storage_deny)?,
    })
}

pub fn storage_allow(reader: Reader) -> Result<StorageRule, PolicyError> {
    let mut fields = reader.fields(&keys::STORAGE_ALLOW)?;
    let uri = uri(fields.need("uri")?)?;
    let access = access(fields.need("access")?)?;
    let quota = match fields.take("quota") {
        None => None,
        Some(quota) => {
            let spot = quota.spot.clone();
            if !access.contains(Access::WRITE) {
                return Err(spot.wrong("a quota needs `write` access"));
            }
            Some(spot.mark(quantity::parse_size(&quota.text_or_number()?))?)
        }
    };
    Ok(StorageRule { uri, access, quota })
}

fn storage_deny(reader: Reader) -> Result<StorageRule, PolicyError> {
    let mut fields = reader.fields(&keys::STORAGE_DENY)?;
    Ok(StorageRule {
        uri: uri(fields.need("uri")?)?,
        access: match fields.take("access") {
            Some(list) => access(list)?,
            None => Access::READ_WRITE,
        },
        quota: None,
    })
}

fn uri(reader: Reader) -> Result<StorageUri, PolicyError> {
    let spot = reader.spot.clone();
    spot.mark(reader.text()?.parse())
}

fn access(reader: Reader) -> Result<Access, PolicyError> {
    let spot = reader.spot.clone();
    let mut access = Access::NONE;
    for mode in reader.list(MOST)? {
        let spot = mode.spot.clone();
        let Some(mode) = Access::parse_mode(&mode.text()?) else {
            return Err(spot.wrong("access must be `read` or `write`"));
        };
        if access.contains(mode) {
            return Err(spot.wrong("it is listed twice"));
        }
        access = access | mode;
    }
    match access {
        Access::NONE => Err(spot.wrong("no access is listed: give `read`, `write` or both")),
        access => Ok(access),
    }
}

pub fn environment(reader: Reader) -> Result<EnvironmentPermissions, PolicyError> {
    let mut fields = reader.fields(&keys::ENVIRONMENT)?;
    let rules = each(fields.take("allow"), environment_rule)?;
    let mut known = HashSet::new();
    // With duplicate keys it would be unclear which value applies.
    for (rule, spot) in &rules {
        if !known.insert(rule.key.as_str()) {
            return Err(spot.wrong(format!("the variable `{}` is listed twice", rule.key)));
        }
    }
    Ok(EnvironmentPermissions {
        allow: rules.into_iter().map(|(rule, _)| rule).collect(),
    })
}

pub fn environment_rule(reader: Reader) -> Result<(EnvironmentRule, Spot), PolicyError> {
    let mut fields = reader.fields(&keys::ENVIRONMENT_RULE)?;
    let key = fields.need("key")?;
    let source = match (fields.take("value"), fields.take("value_from")) {
        (None, None) => ValueSource::Inherit,
        (Some(value), None) => {
            let spot = value.spot.clone();
            spot.mark(ValueSource::value(value.text()?))?
        }
        (None, Some(from)) => {
            let spot = from.spot.clone();
            match from.text()?.as_str() {
                "secret" => ValueSource::Secret,
                _ => return Err(spot.wrong("the only source is `secret`")),
            }
        }
        (Some(_), Some(_)) => {
            let problem = "an entry has either `value` or `value_from`";
            return Err(fields.spot.wrong(problem));
        }
    };
    let spot = key.spot.clone();
    let rule = spot.mark(EnvironmentRule::new(&key.text()?, source))?;
    Ok((rule, spot))
}

pub fn resources(reader: Reader) -> Result<Limits, PolicyError> {
    let mut fields = reader.fields(&keys::RESOURCES)?;
    match fields.take("limits").and_then(Reader::unless_null) {
        None => Ok(Limits::default()),
        Some(reader) => limits(reader),
    }
}

pub fn limits(reader: Reader) -> Result<Limits, PolicyError> {
    let mut fields = reader.fields(&keys::LIMITS)?;
    let mut limits = Limits::default();
    for key in keys::LIMITS.known {
        if let Some(value) = fields.take(key) {
            let spot = value.spot.clone();
            limits.set(spot.mark(LimitRule::parse(key, &value.text_or_number()?))?);
        }
    }
    Ok(limits)
}
