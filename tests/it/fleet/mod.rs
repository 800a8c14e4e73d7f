//! Manifests: `apply`, `lock`, `diff` and `export`.

mod apply;
mod bad_input;
mod export;
mod interrupted;
mod lock;
mod many;
mod packages;
mod serve;
mod tools;
mod tools_served;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use wassette::digest::Digest;

use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::cli::{Cli, Ended};
use crate::support::components::binary;
use crate::support::registry::Registry;
use crate::support::wat::versioned;

/// A component that answers with `version`.
fn code(version: u32) -> String {
    versioned("version", version)
}

/// A root, and the registry that its manifests refer to.
struct Fleet {
    cli: Cli,
    registry: Registry,
}

impl Fleet {
    fn new() -> Self {
        Fleet {
            cli: Cli::new(),
            registry: Registry::start(),
        }
    }

    async fn push(&self, name: &str, tag: &str, wat: &str) -> Digest {
        let artifact = Artifact::new(&[(WASM, &binary(wat))]);
        self.registry.push(name, tag, &artifact).await
    }

    /// Pushes a component that requests permissions.
    async fn push_asking(&self, name: &str, tag: &str, wat: &str, policy: &str) -> Digest {
        let artifact = Artifact::new(&[(WASM, &binary(wat)), (POLICY, policy.as_bytes())]);
        self.registry.push(name, tag, &artifact).await
    }

    /// Writes the manifest; `oci://R/` in it stands for the registry.
    fn manifest(&self, text: &str) -> PathBuf {
        let text = text.replace("oci://R/", &self.registry.reference(""));
        self.cli.file("fleet.yaml", text)
    }

    fn run(&self, args: &[&str]) -> Ended {
        run(&self.cli, args)
    }

    fn json(&self, args: &[&str]) -> Value {
        self.cli.json(args)
    }

    /// Applies `fleet.yaml`, and returns the output.
    fn apply(&self, options: &[&str]) -> Value {
        self.json(&[&["apply", "-f", "fleet.yaml"], options].concat())
    }

    /// Fails to apply `fleet.yaml`; returns the error.
    fn refused(&self, options: &[&str]) -> Value {
        refused(
            &self.cli,
            &[&["apply", "-f", "fleet.yaml"], options].concat(),
        )
    }

    fn lock(&self) -> String {
        fs::read_to_string(self.cli.file_path("wassette.lock")).unwrap()
    }
}

fn run(cli: &Cli, args: &[&str]) -> Ended {
    cli.run(args)
}

/// The error of a command that fails.
fn refused(cli: &Cli, args: &[&str]) -> Value {
    let ended = cli.run([args, &["-o", "json"]].concat());
    assert_ne!(ended.code, 0, "{}", ended.stdout);
    serde_json::from_str(&ended.stderr).unwrap_or_else(|_| panic!("{}", ended.stderr))
}

/// The plan's action for each component.
fn actions(told: &Value) -> Vec<(String, String)> {
    let planned = told["components"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    planned
        .map(|one| (text(&one["component_id"]), text(&one["action"])))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

/// Everything that is installed and granted.
fn state(cli: &Cli) -> String {
    let ended = cli.run(["export"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout
}

/// Each permission, with its origin.
fn granted(cli: &Cli, id: &str) -> Vec<(String, String)> {
    let report = cli.json(["policy", "get", id]);
    let grants = report["grants"].as_array().unwrap().iter();
    grants
        .map(|grant| {
            let by = grant["granted_by"].as_str().unwrap_or_default();
            (grant["permission"].to_string(), by.to_owned())
        })
        .collect()
}
