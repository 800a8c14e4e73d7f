//! Permissions one by one: listed, compared, given and taken.

use super::network::NetworkRule;
use super::storage::{Access, StorageRule};
use super::{Permission, Policy};

/// What came of a [`Policy::revoke`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    Removed,
    /// Nothing in the policy is written like this.
    NotGranted,
}

impl Policy {
    /// Every single allow, and every limit that is set.
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

    /// Every single deny; each takes its part from what is allowed.
    pub fn denials(&self) -> Vec<Permission> {
        let network = self.network.deny.iter().cloned().map(Permission::Network);
        let storage = self.storage.deny.iter().cloned().map(Permission::Storage);
        network.chain(storage).collect()
    }

    /// Whether nothing is allowed and no limit is set.
    pub fn grants_nothing(&self) -> bool {
        self.permissions().is_empty()
    }

    /// What `self` asks for that `granted` does not cover.
    pub fn beyond(&self, granted: &Policy) -> Vec<Permission> {
        let mut beyond = self.permissions();
        beyond.retain(|permission| !granted.covers(permission));
        beyond
    }

    /// Whether a permission adds nothing to what is allowed.
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

    /// The deny, as the policy writes it, that takes all of a permission away.
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

    /// Allows `permission`; what is there already is not added again. A deny
    /// stays and still wins.
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

    /// Takes back what is written in the policy like this: the same host, the
    /// access modes of the same URI, the variable by its key, the limit by its
    /// kind. A wider grant stays.
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
