//! What a guest can reach: nothing, unless granted.

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

use std::path::Path;
use std::sync::Arc;

use wasmtime_wasi::WasiCtx;

use super::limits::RANDOM;
use super::printed::Printing;
use crate::policy::{Base, Limits, NetworkPermissions, Policy, StorageRule};
use crate::secret::Redactor;

pub(super) use denials::Denials;
pub(super) use environment::add_to_linker as add_environment_to_linker;
pub(super) use files::add_to_linker as add_files_to_linker;
pub(super) use guest::Guest;
pub(super) use host::Host;
pub(super) use network::add_to_linker as add_network_to_linker;

use files::Files;
use network::Network;

pub use denials::{Denial, DenialKind};
pub use network::{NetworkOptions, Resolve, SystemResolver};

/// What a sandbox is made of.
#[derive(Clone, Debug)]
pub struct SandboxOptions<'a> {
    /// What was granted.
    pub policy: &'a Policy,
    /// The server's, absolute and canonical: where relative grants begin.
    pub working_directory: &'a Path,
    /// Variables and their values. Those that the policy does not grant are
    /// left out.
    pub environment: Vec<(String, String)>,
    /// Takes the component's secrets out of all that it says.
    pub redactor: Redactor,
}

/// What one component was granted, ready to be enforced. Cheap to clone; made
/// anew only when the policy changes.
#[derive(Clone, Debug)]
pub struct Sandbox {
    granted: Arc<Granted>,
}

#[derive(Debug)]
struct Granted {
    environment: Vec<(String, String)>,
    files: Files,
    /// Told to guests that were granted files by names that begin there.
    working_directory: Option<String>,
    limits: Limits,
    network: NetworkPermissions,
    redactor: Redactor,
}

impl Sandbox {
    pub fn new(options: SandboxOptions<'_>) -> Self {
        let SandboxOptions {
            policy,
            working_directory,
            mut environment,
            redactor,
        } = options;
        let rules = &policy.environment.allow;
        environment.retain(|(key, _)| rules.iter().any(|rule| rule.key == *key));
        let files = Files::new(&policy.storage, working_directory);
        let relative = |rule: &StorageRule| rule.uri.base() == Base::WorkingDirectory;
        let is_told = policy.storage.allow.iter().any(relative);
        let told = working_directory.to_str().filter(|_| is_told);
        let granted = Granted {
            environment,
            files,
            working_directory: told.map(str::to_owned),
            limits: policy.limits.clone(),
            network: policy.network.clone(),
            redactor,
        };
        Sandbox {
            granted: Arc::new(granted),
        }
    }

    /// No environment, no arguments, no files, no network and no name lookup.
    /// Clocks and randomness are there.
    pub fn deny_all() -> Self {
        Sandbox::new(SandboxOptions {
            policy: &Policy::default(),
            working_directory: Path::new("/"),
            environment: Vec::new(),
            redactor: Redactor::default(),
        })
    }

    /// The variables the guest sees, both as its environment and as `wasi:config`.
    pub(super) fn environment(&self) -> &[(String, String)] {
        &self.granted.environment
    }

    /// Where relative paths begin, for a guest that has some.
    fn working_directory(&self) -> Option<&str> {
        self.granted.working_directory.as_deref()
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.granted.redactor
    }

    fn network(&self) -> &NetworkPermissions {
        &self.granted.network
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.granted.limits
    }

    /// The guest's side of WASI, made when it first asks for any.
    fn wasi(&self, printing: Printing<'_>, network: &Network) -> WasiCtx {
        let mut wasi = WasiCtx::builder();
        // Guests have threads of their own to block.
        wasi.allow_blocking_current_thread(true);
        wasi.max_random_size(RANDOM);
        network.configure(&mut wasi);
        let (stdout, stderr) = printing.streams(self.redactor());
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
            environment: [("A", "1"), ("B", "2")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            redactor: Redactor::default(),
        });
        assert_eq!(sandbox.environment(), [("A".to_owned(), "1".to_owned())]);
        assert!(Sandbox::deny_all().environment().is_empty());
    }
}
