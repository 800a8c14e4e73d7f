//! The sandbox of each component's calls, made anew when its policy changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Report;
use crate::policy::{EnvironmentRule, Policy, ValueSource};
use crate::reference::ComponentId;
use crate::runtime::{Sandbox, SandboxOptions};
use crate::secret::Redactor;
use crate::store::{FileStamp, Secrets, Store};

use crate::service::{Error, Service};

/// What is known of each component that was called.
pub(in crate::service) struct Sandboxes {
    /// Where `fs://name` begins: the server's, absolute and canonical.
    working_directory: PathBuf,
    known: Mutex<HashMap<ComponentId, Known>>,
}

struct Known {
    stamp: Stamp,
    sandbox: Sandbox,
}

/// Equal stamps mean the same grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    policy: Option<FileStamp>,
    secrets: Option<FileStamp>,
}

impl Stamp {
    fn of(store: &Store, id: &ComponentId) -> Self {
        let files = store.layout().component(id);
        Stamp {
            policy: FileStamp::of(&files.policy),
            secrets: store.secrets().stamp(id),
        }
    }

    fn is_settled(&self) -> bool {
        self.policy.is_none_or(|stamp| stamp.is_settled())
    }
}

impl Default for Sandboxes {
    fn default() -> Self {
        let directory = std::env::current_dir().and_then(|directory| directory.canonicalize());
        Sandboxes {
            // Without one, relative grants reach nothing.
            working_directory: directory.unwrap_or_default(),
            known: Mutex::default(),
        }
    }
}

impl Sandboxes {
    /// The next call looks at the policy again.
    pub fn forget(&self, id: &ComponentId) {
        self.lock().remove(id);
    }

    fn current(&self, id: &ComponentId, stamp: Stamp) -> Option<Sandbox> {
        let known = self.lock();
        let known = known.get(id).filter(|known| known.stamp == stamp)?;
        Some(known.sandbox.clone())
    }

    /// Reads the policy. One that cannot be read grants nothing.
    fn read(&self, store: &Store, id: &ComponentId) -> Sandbox {
        // Stamped before it is read: a change in between is seen next time.
        let stamp = Stamp::of(store, id);
        let sandbox = match store.granted(id) {
            Ok(granted) if granted.policy.grants_nothing() => Sandbox::deny_all(),
            Ok(granted) => make(&granted.policy, &self.working_directory, store, id),
            Err(error) => {
                tracing::warn!("{}", Report::new(&error));
                Sandbox::deny_all()
            }
        };
        if stamp.is_settled() {
            let sandbox = sandbox.clone();
            self.lock().insert(id.clone(), Known { stamp, sandbox });
        }
        sandbox
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ComponentId, Known>> {
        // The map is whole between any two statements.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// The sandbox of a call that begins now.
    pub(in crate::service) async fn sandbox(
        self: &Arc<Self>,
        id: &ComponentId,
    ) -> Result<Sandbox, Error> {
        let stamp = Stamp::of(&self.store, id);
        if let Some(sandbox) = self.sandboxes.current(id, stamp) {
            return Ok(sandbox);
        }
        let (service, id) = (self.clone(), id.clone());
        let read = move || service.sandboxes.read(&service.store, &id);
        Ok(tokio::task::spawn_blocking(read).await?)
    }
}

fn make(policy: &Policy, working_directory: &Path, store: &Store, id: &ComponentId) -> Sandbox {
    let asks = |rule: &EnvironmentRule| !matches!(rule.source, ValueSource::Value(_));
    let secrets = match policy.environment.allow.iter().any(asks) {
        true => secrets(store, id),
        false => None,
    };
    let rules = policy.environment.allow.iter();
    let environment = rules
        .filter_map(|rule| Some((rule.key.clone(), value(rule, secrets.as_ref())?)))
        .collect();
    Sandbox::new(SandboxOptions {
        policy,
        working_directory,
        environment,
        redactor: secrets.map_or_else(Redactor::default, |secrets| secrets.redactor()),
    })
}

/// Nothing when they cannot be read: then it is not known either which of the
/// server's variables they stand for.
fn secrets(store: &Store, id: &ComponentId) -> Option<Secrets> {
    let secrets = store.secrets().get(id);
    secrets
        .inspect_err(|error| tracing::warn!("{}", Report::new(error)))
        .ok()
}

/// Nothing for a variable that is granted and set nowhere.
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
