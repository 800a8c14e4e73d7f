//! Catalogs: searching them and validating them.

mod added;
mod known;
mod script;
mod services;
mod validate;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::artifact::{Artifact, WASM};
use crate::support::components::binary;
use crate::support::mcp::CALC;
use crate::support::registry::Registry;

/// A registry with a component at `calc:v1`.
async fn registry() -> Registry {
    let registry = Registry::start();
    let artifact = Artifact::new(&[(WASM, &binary(CALC))]);
    registry.push("calc", "v1", &artifact).await;
    registry
}

fn entry(name: &str, uri: &str) -> Value {
    json!({ "name": name, "description": format!("What {name} does"), "uri": uri })
}

fn document(entries: &[Value]) -> String {
    json!({ "components": entries }).to_string()
}

/// Runs git in a directory.
fn git(directory: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory);
    // Ignore this user's configuration.
    git.env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]);
    let output = git.args(args).output().expect("git");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
}
