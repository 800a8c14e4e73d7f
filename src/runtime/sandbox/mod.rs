//! Sandboxes: a guest can use only its grants.

mod denials;
mod environment;
#[cfg(unix)]
mod files;
#[cfg(not(unix))]
#[path = "no_files.rs"]
mod files;
mod guest;
mod host;
mod network;
mod variables;

use std::path::Path;
use std::sync::Arc;

use wasmtime_wasi::WasiCtx;

use super::limits::RANDOM;
use super::printed::Printing;
use crate::policy::{Base, Limits, NetworkPermissions, Policy, StorageRule};

pub(super) use denials::Denials;
pub(super) use environment::add_to_linker as add_environment_to_linker;
pub(super) use files::add_to_linker as add_files_to_linker;
pub(super) use guest::Guest;
pub(super) use host::Host;
pub(super) use network::add_to_linker as add_network_to_linker;

use files::Files;
use network::Network;
use variables::Look;

pub use denials::{Denial, DenialKind};
pub use network::{NetworkOptions, Resolve, SystemResolver};
pub use variables::{Environment, Variables};

/// The parts of a sandbox.
#[derive(Clone, Debug)]
pub struct SandboxOptions<'a> {
    /// The grants.
    pub policy: &'a Policy,
    /// The server's working directory, absolute and canonical; relative grants start
    /// there.
    pub working_directory: &'a Path,
    /// The source of variables; those that the policy does not grant are left out.
    pub variables: Arc<dyn Variables>,
}

/// The grants of one component in a form that can be enforced. Cheap to clone;
/// rebuilt only when the policy changes.
#[derive(Clone, Debug)]
pub struct Sandbox {
    granted: Arc<Granted>,
}

#[derive(Debug)]
struct Granted {
    /// The names of the granted variables.
    keys: Vec<String>,
    variables: Arc<dyn Variables>,
    files: Files,
    /// Given to guests whose storage grants have relative paths.
    working_directory: Option<String>,
    limits: Limits,
    network: NetworkPermissions,
}

impl Sandbox {
    pub fn new(options: SandboxOptions<'_>) -> Self {
        let SandboxOptions {
            policy,
            working_directory,
            variables,
        } = options;
        let rules = policy.environment.allow.iter();
        let files = Files::new(&policy.storage, working_directory);
        let relative = |rule: &StorageRule| rule.uri.base() == Base::WorkingDirectory;
        let is_told = policy.storage.allow.iter().any(relative);
        let told = working_directory.to_str().filter(|_| is_told);
        let granted = Granted {
            keys: rules.map(|rule| rule.key.clone()).collect(),
            variables,
            files,
            working_directory: told.map(str::to_owned),
            limits: policy.limits.clone(),
            network: policy.network.clone(),
        };
        Sandbox {
            granted: Arc::new(granted),
        }
    }

    /// Denies environment, arguments, files, network and name lookup. Clocks and
    /// randomness are still available.
    pub fn deny_all() -> Self {
        Sandbox::new(SandboxOptions {
            policy: &Policy::default(),
            working_directory: Path::new("/"),
            variables: Arc::new(Environment::default()),
        })
    }

    fn variables(&self) -> &dyn Variables {
        &*self.granted.variables
    }

    fn grants_variable(&self, name: &str) -> bool {
        self.granted.keys.iter().any(|key| key == name)
    }

    /// Returns the directory where relative paths start, for a guest with relative grants.
    fn working_directory(&self) -> Option<&str> {
        self.granted.working_directory.as_deref()
    }

    fn network(&self) -> &NetworkPermissions {
        &self.granted.network
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.granted.limits
    }

    /// Makes the guest's WASI context, at its first use of WASI.
    fn wasi(&self, printing: Printing<'_>, network: &Network, look: &Look) -> WasiCtx {
        let mut wasi = WasiCtx::builder();
        // Guests run on threads of their own, which they may block.
        wasi.allow_blocking_current_thread(true);
        wasi.max_random_size(RANDOM);
        network.configure(&mut wasi);
        let (stdout, stderr) = printing.streams(look.renewed_redactor());
        wasi.stdout(stdout).stderr(stderr);
        wasi.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_granted_variables_are_seen() {
        let text = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - key: A\n";
        let policy = Policy::parse(text).unwrap();
        let sandbox = Sandbox::new(SandboxOptions {
            policy: &policy,
            working_directory: Path::new("/"),
            variables: Arc::new(Environment {
                variables: [("A", "1"), ("B", "2")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
                ..Environment::default()
            }),
        });
        let look = Look::new(&sandbox);
        assert_eq!((look.variable("A"), look.variable("B")), (Some("1"), None));
        assert!(!look.was_listed());
        assert_eq!(look.list(), [("A".to_owned(), "1".to_owned())]);
        assert!(look.was_listed());
        assert!(Look::new(&Sandbox::deny_all()).list().is_empty());
    }
}
