//! Orders permissions by danger, so that a person sees the worst first.

use crate::policy::{
    Access, Base, EnvironmentRule, Host, Hosts, NetworkRule, Permission, StorageRule, ValueSource,
    is_public,
};

/// Estimates how far a permission reaches; higher is more dangerous.
pub(super) fn danger(permission: &Permission) -> u8 {
    match permission {
        Permission::Storage(rule) => storage(rule),
        Permission::Network(rule) => network(rule),
        Permission::Environment(rule) => environment(rule),
        Permission::Limit(_) => 0,
    }
}

fn storage(rule: &StorageRule) -> u8 {
    let uri = rule.uri.to_string();
    let reach = match uri.as_str() {
        // The whole file system, or a part of every directory at the top.
        "fs:///**" | "fs:///*" | "fs:///" => 6,
        _ if uri.starts_with("fs:///*") => 6,
        _ if uri.contains('*') => match rule.uri.base() {
            Base::Root => 4,
            Base::WorkingDirectory => 3,
        },
        _ => 1,
    };
    reach + u8::from(rule.access.contains(Access::WRITE)) * 2
}

fn network(rule: &NetworkRule) -> u8 {
    match rule {
        NetworkRule::Cidr(rule) if rule.network.prefix() == 0 => 8,
        NetworkRule::Cidr(rule) if !rule.network.special_parts().is_empty() => 7,
        NetworkRule::Cidr(_) => 5,
        NetworkRule::Host(pattern) => match &pattern.hosts {
            Hosts::Any => 6,
            Hosts::Below(_) => 3,
            Hosts::One(Host::Name(name)) if name == "localhost" => 4,
            Hosts::One(Host::Address(address)) if !is_public(*address) => 4,
            Hosts::One(_) => 2,
        },
    }
}

fn environment(rule: &EnvironmentRule) -> u8 {
    match rule.source {
        // The server's variable, if the component has no secret of this name.
        ValueSource::Inherit => 4,
        ValueSource::Secret => 2,
        ValueSource::Value(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rank(fragment: Value) -> u8 {
        danger(&serde_json::from_value(fragment).unwrap())
    }

    #[test]
    fn what_reaches_further_ranks_higher() {
        let storage = |uri: &str, access: &[&str]| {
            rank(json!({ "storage": { "uri": uri, "access": access } }))
        };
        let host = |host: &str| rank(json!({ "network": { "host": host } }));
        let ladders = [
            vec![
                storage("fs:///**", &["read", "write"]),
                storage("fs:///data/**", &["read", "write"]),
                storage("fs:///data/**", &["read"]),
                storage("fs:///data/a", &["write"]),
                storage("fs:///data/a", &["read"]),
            ],
            vec![
                rank(json!({ "network": { "cidr": "0.0.0.0/0" } })),
                host("*"),
                host("10.0.0.1"),
                host("*.example.com"),
                host("a.example.com"),
            ],
            vec![
                storage("fs:///*/secrets", &["read"]),
                storage("fs://work/**", &["read"]),
                rank(json!({ "environment": { "key": "K", "value_from": "secret" } })),
                rank(json!({ "environment": { "key": "K", "value": "v" } })),
            ],
        ];
        for ladder in ladders {
            assert!(ladder.is_sorted_by(|a, b| a > b), "{ladder:?}");
        }
    }
}
