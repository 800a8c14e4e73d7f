//! Listing, comparing, granting and revoking single permissions of a policy.

use super::network::NetworkRule;
use super::storage::{Access, StorageRule};
use super::{Permission, Policy};

/// The result of [`Policy::revoke`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    Removed,
    /// The policy has no such entry.
    NotGranted,
}

impl Policy {
    /// Returns all allow rules and all limits that are set.
    pub fn permissions(&self) -> Vec<Permission> {
        let network = self.network.allow.iter().cloned().map(Permission::Network);
        let storage = self.storage.allow.iter().cloned().map(Permission::Storage);
        let environment = self
            .environment
            .allow
            .iter()
            .cloned()
            .map(Permission::Environment);
        let limits = self.limits.rules().map(Permission::Limit);
        network
            .chain(storage)
            .chain(environment)
            .chain(limits)
            .collect()
    }

    /// Returns all deny rules.
    pub fn denials(&self) -> Vec<Permission> {
        let network = self.network.deny.iter().cloned().map(Permission::Network);
        let storage = self.storage.deny.iter().cloned().map(Permission::Storage);
        network.chain(storage).collect()
    }

    /// Whether the policy has neither an allow rule nor a limit.
    pub fn grants_nothing(&self) -> bool {
        self.permissions().is_empty()
    }

    /// Returns the permissions of `self` that `granted` does not cover.
    pub fn beyond(&self, granted: &Policy) -> Vec<Permission> {
        let mut beyond = self.permissions();
        beyond.retain(|permission| !granted.covers(permission));
        beyond
    }

    /// Whether the allow rules and limits already include `permission`. Deny
    /// rules are not considered.
    pub fn covers(&self, permission: &Permission) -> bool {
        match permission {
            Permission::Network(asked) => self.network.allow.iter().any(|rule| rule.covers(asked)),
            Permission::Storage(asked) => self.covers_storage(asked),
            Permission::Environment(asked) => self.environment.allow.contains(asked),
            Permission::Limit(asked) => self.limits.covers(*asked),
        }
    }

    fn covers_storage(&self, asked: &StorageRule) -> bool {
        let covered = self
            .storage
            .allow
            .iter()
            .filter(|rule| rule.uri.covers(&asked.uri))
            .fold(Access::NONE, |access, rule| access | rule.access);
        let quotas = self
            .storage
            .allow
            .iter()
            .filter(|rule| rule.uri.covers(&asked.uri));
        let quota = quotas.filter_map(|rule| rule.quota).max();
        covered.contains(asked.access) && (asked.quota.is_none() || quota >= asked.quota)
    }

    /// Returns the deny rule, in policy syntax, that covers `permission` completely.
    pub fn denied_by(&self, permission: &Permission) -> Option<String> {
        match permission {
            Permission::Network(asked) => {
                let deny = self.network.deny.iter().find(|deny| deny.covers(asked))?;
                Some(match deny {
                    NetworkRule::Host(pattern) => pattern.to_string(),
                    NetworkRule::Cidr(rule) => rule.to_string(),
                })
            }
            Permission::Storage(asked) => {
                let takes = |deny: &&StorageRule| {
                    deny.access.contains(asked.access) && deny.uri.covers(&asked.uri)
                };
                Some(self.storage.deny.iter().find(takes)?.uri.to_string())
            }
            Permission::Environment(_) | Permission::Limit(_) => None,
        }
    }

    /// Adds `permission`, or merges it into the entry for the same host, URI,
    /// variable or limit. Deny rules stay and still take precedence.
    pub fn grant(&mut self, permission: Permission) {
        match permission {
            Permission::Network(rule) => {
                if !self.network.allow.contains(&rule) {
                    self.network.allow.push(rule);
                }
            }
            Permission::Storage(rule) => {
                let same = self
                    .storage
                    .allow
                    .iter_mut()
                    .find(|known| known.uri == rule.uri);
                match same {
                    Some(known) => {
                        known.access = known.access | rule.access;
                        known.quota = rule.quota.or(known.quota);
                    }
                    None => self.storage.allow.push(rule),
                }
            }
            Permission::Environment(rule) => {
                let same = self
                    .environment
                    .allow
                    .iter_mut()
                    .find(|known| known.key == rule.key);
                match same {
                    Some(known) => *known = rule,
                    None => self.environment.allow.push(rule),
                }
            }
            Permission::Limit(rule) => self.limits.set(rule),
        }
    }

    /// Removes the entry that equals `permission`: a network rule by its text,
    /// access modes by their URI, a variable by its key, a limit by its kind. A
    /// wider grant that also covers `permission` stays.
    pub fn revoke(&mut self, permission: &Permission) -> Revoked {
        let before = self.clone();
        match permission {
            Permission::Network(rule) => self.network.allow.retain(|known| known != rule),
            Permission::Storage(rule) => {
                for known in &mut self.storage.allow {
                    if known.uri == rule.uri {
                        known.access = known.access - rule.access;
                        if !known.access.contains(Access::WRITE) {
                            known.quota = None;
                        }
                    }
                }
                self.storage.allow.retain(|known| !known.access.is_none());
            }
            Permission::Environment(rule) => {
                self.environment.allow.retain(|known| known.key != rule.key);
            }
            Permission::Limit(rule) => self.limits.unset(*rule),
        }
        if *self == before {
            Revoked::NotGranted
        } else {
            Revoked::Removed
        }
    }
}
