//! One permission, and its description for people.

use std::fmt;

use super::environment::{EnvironmentRule, ValueSource};
use super::limits::LimitRule;
use super::network::{Host, Hosts, NetworkRule};
use super::quantity;
use super::storage::{Base, StorageRule};

/// A single permission, requested or granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    Network(NetworkRule),
    Storage(StorageRule),
    Environment(EnvironmentRule),
    Limit(LimitRule),
}

/// Describes for people what the permission allows the component to do.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permission::Network(rule) => network(rule, f),
            Permission::Storage(rule) => storage(rule, f),
            Permission::Environment(rule) => environment(rule, f),
            Permission::Limit(rule) => limit(rule, f),
        }
    }
}

fn network(rule: &NetworkRule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let port = match rule {
        NetworkRule::Host(pattern) => {
            match &pattern.hosts {
                Hosts::Any => f.write_str("connect to any public host")?,
                Hosts::Below(parent) => write!(f, "connect to any host below `{parent}`")?,
                Hosts::One(host @ Host::Name(_)) => write!(f, "connect to `{host}`")?,
                Hosts::One(host @ Host::Address(_)) => {
                    write!(f, "connect to the address `{host}`")?
                }
            }
            if let Some(scheme) = pattern.scheme {
                write!(f, " over {scheme}")?;
            }
            pattern.port
        }
        NetworkRule::Cidr(rule) => {
            write!(f, "connect to any address in `{}`", rule.network)?;
            if let Some((last, others)) = rule.network.special_parts().split_last() {
                let others = others.join(", ");
                let and = if others.is_empty() { "" } else { " and " };
                write!(f, ", {others}{and}{last} included")?;
            }
            rule.port
        }
    };
    match port {
        Some(port) => write!(f, ", port {port}"),
        None => Ok(()),
    }
}

fn storage(rule: &StorageRule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let access = rule.access;
    let text = rule.uri.to_string();
    let path = text.strip_prefix("fs://").unwrap_or(&text);
    let tree = path.strip_suffix("**");
    match tree.map(|tree| tree.trim_end_matches('/')) {
        Some("") if rule.uri.base() == Base::Root => {
            write!(f, "{access} every file of this machine")?;
        }
        Some("") => write!(f, "{access} every file")?,
        Some(tree) => write!(f, "{access} files under `{tree}`")?,
        None if path.contains('*') => write!(f, "{access} files that match `{path}`")?,
        None => write!(f, "{access} `{path}` alone")?,
    }
    if rule.uri.base() == Base::WorkingDirectory {
        f.write_str(" in the server's working directory")?;
    }
    match rule.quota {
        Some(bytes) => write!(f, ", adding up to {}", quantity::format_size(bytes)),
        None => Ok(()),
    }
}

fn environment(rule: &EnvironmentRule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let key = &rule.key;
    match &rule.source {
        ValueSource::Inherit => write!(f, "see the environment variable `{key}`"),
        ValueSource::Value(_) => write!(
            f,
            "see the environment variable `{key}` with the value in the policy"
        ),
        ValueSource::Secret => write!(f, "see its secret `{key}`"),
    }
}

fn limit(rule: &LimitRule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let value = rule.value();
    match rule {
        LimitRule::Memory(_) => write!(f, "use up to {value} of memory"),
        LimitRule::Cpu(_) => write!(f, "use up to {value} of a processor"),
        LimitRule::Time(_) => write!(f, "run for up to {value} a call"),
        LimitRule::Instances(1) => write!(f, "run one call at a time"),
        LimitRule::Instances(_) => write!(f, "run {value} calls at once"),
        LimitRule::Output(_) => write!(f, "return and print up to {value} a call"),
    }
}
