//! The environment variables that a component is granted, with the secrets as they
//! are when a guest reads them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Report;
use crate::policy::{EnvironmentRule, ValueSource};
use crate::reference::ComponentId;
use crate::runtime::{Environment, Variables};
use crate::secret::Redactor;
use crate::store::{FileStamp, SecretStore, Secrets};

/// The component, its rules, and the secrets.
struct Source {
    id: ComponentId,
    rules: Vec<EnvironmentRule>,
    secrets: SecretStore,
}

/// The variables that a policy grants; made anew when the policy changes.
pub(super) struct GrantedVariables {
    source: Source,
    known: Mutex<Known>,
}

struct Known {
    /// The stamp of the secrets, taken before they were read, so that a change in
    /// between is noticed next time.
    stamp: Option<FileStamp>,
    environment: Environment,
}

impl GrantedVariables {
    pub fn new(id: &ComponentId, rules: &[EnvironmentRule], secrets: SecretStore) -> Self {
        let source = Source {
            id: id.clone(),
            rules: rules.to_vec(),
            secrets,
        };
        // Read now: a guest that does not read its variables may still print a secret
        // that it kept on disk in an earlier call.
        let known = Mutex::new(source.read());
        GrantedVariables { source, known }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Replaced in one step, so a poisoned lock can be used.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Variables for GrantedVariables {
    fn current(&self) -> Environment {
        let mut known = self.lock();
        if self.source.stamp() != known.stamp {
            *known = self.source.read();
        }
        known.environment.clone()
    }

    fn redactor(&self) -> Redactor {
        self.lock().environment.redactor.clone()
    }
}

/// Prints no values.
impl fmt::Debug for GrantedVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().environment.fmt(f)
    }
}

impl Source {
    fn read(&self) -> Known {
        let stamp = self.stamp();
        let secrets = match self.asks() {
            true => self.secrets(),
            false => None,
        };
        let rules = self.rules.iter();
        let variables = rules
            .filter_map(|rule| Some((rule.key.clone(), value(rule, secrets.as_ref())?)))
            .collect();
        let redactor = secrets.map_or_else(Redactor::default, |secrets| secrets.redactor());
        Known {
            // Without a settled stamp the next look reads the secrets again.
            stamp: stamp.filter(FileStamp::is_settled),
            environment: Environment {
                variables,
                redactor,
            },
        }
    }

    /// Whether any variable depends on the secrets.
    fn asks(&self) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| !matches!(rule.source, ValueSource::Value(_)))
    }

    fn stamp(&self) -> Option<FileStamp> {
        self.asks().then(|| self.secrets.stamp(&self.id)).flatten()
    }

    /// `None` when they cannot be read: then it is unknown which variables of the
    /// server they would replace, so none of those is passed on.
    fn secrets(&self) -> Option<Secrets> {
        let secrets = self.secrets.get(&self.id);
        secrets
            .inspect_err(|error| tracing::warn!("{}", Report::new(error)))
            .ok()
    }
}

/// The value of a granted variable; `None` if it is set nowhere.
fn value(rule: &EnvironmentRule, secrets: Option<&Secrets>) -> Option<String> {
    let secret = || Some(secrets?.get(&rule.key)?.expose().to_owned());
    match &rule.source {
        ValueSource::Value(value) => Some(value.clone()),
        ValueSource::Secret => secret(),
        ValueSource::Inherit => {
            secrets?;
            secret().or_else(|| std::env::var(&rule.key).ok())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Layout, SecretKey};

    #[test]
    fn a_secret_is_seen_by_the_next_who_looks() {
        let root = tempfile::tempdir().unwrap();
        let secrets = SecretStore::new(&Layout::new(root.path()));
        let id = ComponentId::parse("weather").unwrap();
        let rule = |key, source| EnvironmentRule::new(key, source).unwrap();
        let rules = [
            rule("TOKEN", ValueSource::Secret),
            rule("REGION", ValueSource::Value("eu".into())),
        ];
        let granted = GrantedVariables::new(&id, &rules, secrets.clone());
        let region = ("REGION".to_owned(), "eu".to_owned());
        assert_eq!(granted.current().variables.first(), Some(&region));
        for value in ["hunter22", "correct-horse"] {
            let key: SecretKey = "TOKEN".parse().unwrap();
            secrets.set(&id, vec![(key, value.into())]).unwrap();
            // A guest that has not read its variables cannot have the secret.
            assert_eq!(granted.redactor().text(value), value);
            let token = ("TOKEN".to_owned(), value.to_owned());
            assert_eq!(&granted.current().variables[..], [token, region.clone()]);
            assert_eq!(granted.redactor().text(value), "[redacted]");
        }
        assert_eq!(format!("{granted:?}"), r#"{"TOKEN", "REGION"}"#);
    }
}
