//! A component tries to reach files that it was not granted, over MCP.

use std::fs;
use std::path::PathBuf;

use rmcp::model::CallToolResult;
use serde_json::json;

use crate::support::guests;
use crate::support::mcp::{Client, Place};

/// The guest of `tests/guests/files`, granted the directory `w` but not `w/no`.
struct Files {
    place: Place,
    root: PathBuf,
    client: Client,
}

impl Files {
    async fn new(files: &[(&str, &str)]) -> Self {
        let place = Place::new();
        let root = place.path("").canonicalize().unwrap();
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(place.path("files.wasm"), guests::component("files")).unwrap();
        let client = place.stdio().await;
        let uri = format!("file://{}", place.path("files.wasm").display());
        client.load(&uri).await;
        let w = root.join("w").display().to_string();
        let policy = format!(
            "version: \"1.0\"\npermissions: {{storage: {{\
             allow: [{{uri: \"fs://{w}/**\", access: [read, write]}}], \
             deny: [{{uri: \"fs://{w}/no/**\"}}]}}}}\n"
        );
        let file = place.path("root/components/files/files.policy.yaml");
        fs::write(file, policy).unwrap();
        Files {
            place,
            root,
            client,
        }
    }

    /// Runs steps in one call, where `$` is the granted directory.
    async fn call(&self, steps: &[&str]) -> CallToolResult {
        let w = format!("{}:", self.root.join("w").display());
        let steps: Vec<String> = steps.iter().map(|step| step.replace("$", &w)).collect();
        let result = self.client.call("run", json!({ "steps": steps })).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
        result
    }

    async fn run(&self, steps: &[&str]) -> Vec<String> {
        answers(&self.call(steps).await)
    }
}

fn answers(result: &CallToolResult) -> Vec<String> {
    let told = result.structured_content.as_ref().unwrap();
    serde_json::from_value(told["result"].clone()).unwrap()
}

/// Tries every way to change a name, with the denied side first and last.
#[tokio::test]
async fn each_denial_is_told_to_the_agent() {
    let files = Files::new(&[("w/a", ""), ("w/no/b", "kept")]).await;
    let no = files.root.join("w/no").display().to_string();
    for (step, kind, what) in [
        ("read $no/b", "read", "b"),
        ("write $no/b x", "write", "b"),
        ("write $no/new x", "write", "new"),
        ("unlink $no/b", "write", "b"),
        ("mkdir $no/d", "write", "d"),
        ("rename $no/b $c", "write", "b"),
        ("rename $a $no/c", "write", "c"),
        ("link $no/b $c", "write", "b"),
        ("link $a $no/c", "write", "c"),
        ("symlink a $no/c", "write", "c"),
    ] {
        let result = files.call(&[step]).await;
        let answer = answers(&result);
        assert!(answer[0].starts_with("error "), "{step}: {answer:?}");
        let meta = result.meta.as_ref().expect(step);
        let denied = &meta.0["wassette/denied"];
        let expected = json!([{
            "kind": kind,
            "what": format!("{no}/{what}"),
            "reason": "denied-by-rule",
            "times": 1,
        }]);
        assert_eq!(*denied, expected, "{step}");
    }
    for (directory, names) in [("w", &["a", "no"][..]), ("w/no", &["b"])] {
        assert_eq!(crate::support::files(&files.root.join(directory)), names);
    }
    assert_eq!(
        fs::read_to_string(files.root.join("w/no/b")).unwrap(),
        "kept"
    );
}

/// A link that leads out can neither be created nor moved to another directory, even if a program
/// of the host created it. (The sandbox's own tests try swaps by a program of the host while a
/// guest reads.)
#[tokio::test]
async fn a_guest_swaps_in_a_link_that_leads_out() {
    let files = Files::new(&[
        ("w/a/b/key", "public"),
        ("w/e/f/file", ""),
        ("secret/key", "secret"),
    ])
    .await;
    let denied = "error Operation not permitted";
    assert_eq!(
        files.run(&["symlink ../../../secret $e/f/up"]).await,
        [denied]
    );
    std::os::unix::fs::symlink("../../secret", files.root.join("w/a/link")).unwrap();
    let steps = [
        "read $a/link/key",
        "write $a/link/new x",
        "swap 1 $a/b $a/link",
        "read $a/b/key",
        "link $a/link $b",
        "read $aside/key",
    ];
    let missing = "error No such file or directory";
    let answers = files.run(&steps).await;
    assert_eq!(
        answers,
        [denied, denied, denied, missing, denied, "ok public"]
    );
    assert_eq!(crate::support::files(&files.place.path("secret")), ["key"]);
}

/// A language's library looks for a preopened directory that the path begins with; thanks to `/`,
/// requests of a guest without grants reach the host too.
#[tokio::test]
async fn a_guest_without_grants_is_told_which_it_needs() {
    let place = Place::new();
    fs::write(place.path("files.wasm"), guests::component("files")).unwrap();
    fs::write(place.path("secret"), "secret").unwrap();
    let secret = place.path("secret").canonicalize().unwrap();
    let client = place.stdio().await;
    client
        .load(&format!("file://{}", place.path("files.wasm").display()))
        .await;
    let path = secret.display().to_string();
    let rest = path.trim_start_matches('/');
    let tries = [
        "roots".to_owned(),
        format!("read /:{rest}"),
        format!("stat /:{rest}"),
        format!("write /:{rest} x"),
        format!("unlink /:{rest}"),
        format!("rename /:{rest} /:tmp/mine"),
        format!("link /:{rest} /:tmp/mine"),
        format!("symlink {rest} /:mine"),
        "list /:.".to_owned(),
        "read /:proc/self/environ".to_owned(),
        "read /:../../etc/passwd".to_owned(),
    ];
    let result = client.call("run", json!({ "steps": tries })).await;
    let answers = answers(&result);
    assert_eq!(answers[0], "ok /");
    assert!(
        answers[1..]
            .iter()
            .all(|answer| answer == "error Operation not permitted"),
        "{answers:?}"
    );
    let told = json!(result.meta).to_string();
    assert!(told.contains(&format!("fs://{path}")), "{told}");
    assert!(told.contains("grant-storage-permission"), "{told}");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
}
