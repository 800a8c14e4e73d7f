//! A component that tries to get at files it was not granted, over MCP.

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

/// Every way to change a name, with the side that is denied first and last.
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

/// Two calls of one program: one makes a link that leads out and puts it where a
/// directory was, again and again, the other reads and writes through it.
#[tokio::test]
async fn a_guest_swaps_what_another_reads_through() {
    let files = Files::new(&[
        ("w/a/b/key", "public"),
        ("w/e/f/file", ""),
        ("secret/key", "secret"),
    ])
    .await;

    // Where it is made it leads to something granted, and where it is moved, out.
    let make = [
        "symlink ../../secret $e/f/up",
        "rename $e/f/up $a/link",
        "read $a/link/key",
    ];
    let made = files.run(&make).await;
    assert_eq!(made, ["ok", "ok", "error Operation not permitted"]);
    let race = ["race 20000 $a/b/key", "write-race 1000 $a/b/new"];
    let (swapped, raced) = tokio::join!(files.run(&["swap 20000 $a/b $a/link"]), files.run(&race));
    assert_eq!(swapped, ["ok"]);
    assert!(raced[0].contains(" secret=0 "), "{raced:?}");
    // They did meet.
    for none in ["public=0 ", "errors=0"] {
        assert!(!raced[0].contains(none), "{raced:?}");
    }
    let secret = files.place.path("secret");
    assert_eq!(crate::support::files(&secret), ["key"]);
    assert_eq!(fs::read_to_string(secret.join("key")).unwrap(), "secret");
}
