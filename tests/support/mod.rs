//! Code that the tests share.

pub mod archive;
pub mod artifact;
pub mod certificates;
pub mod cli;
pub mod components;
pub mod components_files;
pub mod components_limits;
pub mod components_rt;
pub mod components_values;
pub mod cut;
pub mod dns;
pub mod ear;
pub mod escape;
pub mod faults;
#[cfg(unix)]
pub mod files;
pub mod guests;
pub mod http;
pub mod installed;
pub mod javascript;
pub mod mcp;
pub mod network_guest;
pub mod node;
#[cfg(unix)]
pub mod owner;
#[cfg(target_os = "linux")]
pub mod processor;
pub mod program;
pub mod proxy;
pub mod pusher;
pub mod registry;
pub mod relay;
#[cfg(unix)]
pub mod script;
pub mod server;
pub mod signing;
#[path = "../../src/schema/tests/strict.rs"]
pub mod strict;
#[cfg(unix)]
pub mod terminal;
pub mod tls;
pub mod tokens;
pub mod wait;
pub mod wat;
pub mod web;

use std::path::Path;

use std::time::Duration;
use wassette::schema::ListedTool;

use tempfile::TempDir;
use wassette::error::Report;
use wassette::fetch::{FetchError, FetchOptions, Fetched, Fetcher, Silent};
use wassette::reference::Reference;
use wassette::registry::{Credential, CredentialOptions, Given};

use wait::until;

/// A fetcher with a staging directory of its own.
pub struct Load {
    pub fetcher: Fetcher,
    pub staging: TempDir,
}

impl Load {
    pub fn new() -> Self {
        Load::with(FetchOptions::default())
    }

    /// With a credential for one registry.
    pub fn with_credential(registry: &str, credential: Credential) -> Self {
        let given = Given {
            registry: registry.into(),
            credential,
        };
        Load::with(FetchOptions {
            registry: wassette::registry::Options {
                credentials: CredentialOptions {
                    given: Some(given),
                    ..CredentialOptions::default()
                },
                ..Default::default()
            },
            ..FetchOptions::default()
        })
    }

    /// Retries pause for at most a millisecond.
    pub fn with(mut options: FetchOptions) -> Self {
        options.net.retry_base = options.net.retry_base.min(Duration::from_millis(1));
        options.net.retry_max = options.net.retry_base;
        Load {
            fetcher: Fetcher::new(options),
            staging: TempDir::new().expect("a temporary directory"),
        }
    }

    pub async fn run(&self, reference: &str) -> Result<Fetched, FetchError> {
        let reference = reference_of(reference);
        let resolved = self.fetcher.resolve(&reference).await?;
        let staging = self.staging.path();
        self.fetcher.fetch(resolved, staging, &Silent).await
    }

    /// Runs a load that must fail, and checks that it leaves nothing behind.
    pub async fn fails(&self, reference: &str) -> FetchError {
        match self.run(reference).await {
            Ok(fetched) => panic!("{reference} was fetched: {fetched:?}"),
            Err(error) => {
                println!("error: {}\n", Report::new(&error));
                // A thread may still be removing what it wrote.
                let what = format!("{reference} leaves nothing");
                until(&what, || self.staged().is_empty()).await;
                error
            }
        }
    }

    /// Names of the files in staging.
    pub fn staged(&self) -> Vec<String> {
        files(self.staging.path())
    }
}

pub fn reference_of(text: &str) -> Reference {
    Reference::parse(text, Path::new("/")).expect("a reference")
}

pub fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
