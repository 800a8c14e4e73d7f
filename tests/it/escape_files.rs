//! Two calls of one program: one makes a link that leads out and puts it where a
//! directory was, again and again, the other reads and writes through it.

use std::fs;

use serde_json::{Value, json};

use crate::support::guests;
use crate::support::mcp::{Client, Place};

async fn run(client: &Client, steps: &[String]) -> Vec<String> {
    let result = client.call("run", json!({ "steps": steps })).await;
    assert_ne!(result.is_error, Some(true), "{result:?}");
    let Value::Object(mut told) = result.structured_content.unwrap() else {
        panic!("no object");
    };
    serde_json::from_value(told["result"].take()).unwrap()
}

#[tokio::test]
async fn a_guest_swaps_what_another_reads_through() {
    let place = Place::new();
    let root = place.path("").canonicalize().unwrap();
    for (path, text) in [
        ("w/a/b/key", "public"),
        ("w/e/f/file", ""),
        ("secret/key", "secret"),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(place.path("files.wasm"), guests::component("files")).unwrap();
    let client = place.stdio().await;
    let uri = format!("file://{}", place.path("files.wasm").display());
    client.load(&uri).await;
    let root = root.display();
    let policy = format!(
        "version: \"1.0\"\npermissions: {{storage: {{allow: [{{uri: \"fs://{root}/w/**\", \
         access: [read, write]}}]}}}}\n"
    );
    let file = place.path("root/components/files/files.policy.yaml");
    fs::write(file, policy).unwrap();
    let at = |steps: &[&str]| -> Vec<String> {
        let w = format!("{root}/w:");
        steps.iter().map(|step| step.replace("$", &w)).collect()
    };

    // Where it is made it leads to something granted, and where it is moved, out.
    let make = at(&[
        "symlink ../../secret $e/f/up",
        "rename $e/f/up $a/link",
        "read $a/link/key",
    ]);
    let made = run(&client, &make).await;
    assert_eq!(made, ["ok", "ok", "error Operation not permitted"]);
    let (swap, race) = (
        at(&["swap 20000 $a/b $a/link"]),
        at(&["race 20000 $a/b/key", "write-race 1000 $a/b/new"]),
    );
    let (swapped, raced) = tokio::join!(run(&client, &swap), run(&client, &race));
    assert_eq!(swapped, ["ok"]);
    assert!(raced[0].contains(" secret=0 "), "{raced:?}");
    // They did meet.
    for none in ["public=0 ", "errors=0"] {
        assert!(!raced[0].contains(none), "{raced:?}");
    }
    let secret = place.path("secret");
    assert_eq!(crate::support::files(&secret), ["key"]);
    assert_eq!(fs::read_to_string(secret.join("key")).unwrap(), "secret");
}
