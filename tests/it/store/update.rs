//! Updates: reported, inspected and installed.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::faults::{Faults, Honest};
use crate::support::mcp::Place;
#[cfg(target_os = "linux")]
use crate::support::processor;
use crate::support::wait::within;
use crate::support::wat::{WIDER, versioned};

/// A registry whose tag can be moved.
struct Moving {
    server: Faults,
    content: Arc<Mutex<Honest>>,
}

impl Moving {
    async fn start(artifact: &Artifact) -> Self {
        let content = Arc::new(Mutex::new(Honest::new(artifact)));
        let served = content.clone();
        let server = Faults::start(move |seen| served.lock().unwrap().answer(seen)).await;
        Moving { server, content }
    }

    fn push(&self, artifact: &Artifact) {
        *self.content.lock().unwrap() = Honest::new(artifact);
    }
}

/// A component that returns `version`.
pub(super) fn code(version: u32) -> String {
    versioned("version", version)
}

const REQUEST: &str =
    "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - key: CITY\n";

fn plain(version: u32) -> Artifact {
    Artifact::new(&[(WASM, &binary(&code(version)))])
}

fn wider() -> Artifact {
    Artifact::new(&[(WASM, &binary(WIDER)), (POLICY, REQUEST.as_bytes())])
}

pub(super) fn version(cli: &Cli) -> Value {
    cli.json(["call", "version"])["result"].clone()
}

/// Runs blocking commands outside the async workers that serve them.
async fn with<T: Send + 'static>(
    cli: &Arc<Cli>,
    run: impl FnOnce(&Cli) -> T + Send + 'static,
) -> T {
    let cli = cli.clone();
    tokio::task::spawn_blocking(move || run(&cli))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_is_told_after_one_request_each() {
    let registry = Moving::start(&plain(1)).await;
    let cli = Arc::new(Cli::new());
    let (tag, pin) = (
        registry.server.reference("a:v1"),
        registry
            .server
            .reference(&format!("a@{}", plain(1).digest())),
    );
    let file = cli.file("local.wat", code(3));
    with(&cli, move |cli| {
        cli.json(["load", "--uri", &tag, "--name", "moves"]);
        cli.json(["load", "--uri", &tag, "--name", "stays"]);
        cli.json(["load", "--uri", &pin, "--name", "pinned"]);
        cli.load(&file);
    })
    .await;
    let before = registry.server.seen().len();
    let told = with(&cli, |cli| cli.json(["outdated"])).await;
    let status = |told: &Value, nth: usize| told["components"][nth]["status"].clone();
    assert_eq!(told["components"][0]["component_id"], "local");
    assert_eq!(
        [0, 1, 2, 3].map(|nth| status(&told, nth)),
        ["current", "current", "pinned", "current"]
    );
    registry.push(&plain(2));
    fs::write(cli.root().with_file_name("files/local.wat"), code(44)).unwrap();
    let told = with(&cli, |cli| cli.json(["outdated"])).await;
    assert_eq!(
        [0, 1, 2, 3].map(|nth| status(&told, nth)),
        ["outdated", "outdated", "pinned", "outdated"]
    );
    let moved = &told["components"][1];
    assert_eq!(moved["installed"], plain(1).digest().to_string());
    assert_eq!(moved["available"], plain(2).digest().to_string());
    let requests = &registry.server.seen()[before..];
    assert_eq!(requests.len(), 4, "{requests:?}");
    assert!(requests.iter().all(|one| one.method == "HEAD"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_cannot_be_asked_do_not_hide_the_others() {
    let registry = Moving::start(&plain(1)).await;
    let cli = Arc::new(Cli::new());
    let tag = registry.server.reference("a:v1");
    let file = cli.file("local.wat", code(3));
    with(&cli, move |cli| {
        cli.json(["load", "--uri", &tag]);
        cli.load(&file);
    })
    .await;
    drop(registry);
    fs::write(cli.root().with_file_name("files/local.wat"), code(44)).unwrap();
    let ended = with(&cli, |cli| cli.run(["outdated", "-o", "json"])).await;
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("sources-not-asked"),
        "{}",
        ended.stderr
    );
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["components"][0]["status"], "failed");
    assert_eq!(told["components"][0]["error"]["code"], "oci-pull-failed");
    assert_eq!(told["components"][1]["status"], "outdated");

    let ended = with(&cli, |cli| cli.run(["update", "--all", "-o", "json"])).await;
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["components"][0]["status"], "updated");
    assert_eq!(told["failures"][0]["error"]["code"], "oci-pull-failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_alone_is_updated_without_a_question() {
    let registry = Moving::start(&plain(1)).await;
    let cli = Arc::new(Cli::new());
    let tag = registry.server.reference("a:v1");
    with(&cli, move |cli| {
        cli.json(["load", "--uri", &tag]);
        let same = cli.run(["update", "a"]);
        assert_eq!((same.code, &*same.stdout), (0, "a: up to date\n"));
        let same = cli.run(["update", "--all"]);
        assert_eq!(same.stdout, "Everything is up to date\n");
    })
    .await;
    registry.push(&plain(2));
    with(&cli, |cli| {
        let dry = cli.json(["update", "--all", "--dry-run"]);
        assert_eq!(dry["components"][0]["status"], "available");
        assert_eq!(version(cli), 1);
        let updated = cli.run(["update", "--all"]);
        assert_eq!(updated.stdout, "a: updated\n  only code changed\n");
        assert_eq!(version(cli), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_more_waits_to_be_accepted() {
    let registry = Moving::start(&plain(1)).await;
    let cli = Arc::new(Cli::new());
    let tag = registry.server.reference("a:v1");
    with(&cli, move |cli| cli.json(["load", "--uri", &tag])).await;
    registry.push(&wider());
    with(&cli, |cli| {
        let held = cli.run(["update", "a"]);
        assert_eq!(held.code, 5, "{}", held.stderr);
        assert!(held.stderr.contains("--accept"), "{}", held.stderr);
        assert_eq!(
            held.stdout,
            "a: another version needs `--accept`\n  \
             + tool other\n  \
             + imports wasi:cli/environment@0.2.0\n  \
             + asks to see the environment variable `CITY`\n  \
             ~ tool version: other result\n"
                .to_owned()
                + &format!("  digest {}\n", wider().digest())
        );
        assert_eq!(version(cli), 1);
        assert!(cli.is_tidy());

        let bound = format!("`wassette update a --accept={}`", wider().digest());
        assert!(held.stderr.contains(&bound), "{}", held.stderr);
        let taken = cli.json(["update", "a", "--accept"]);
        let updated = &taken["components"][0];
        assert_eq!(updated["status"], "updated");
        assert_eq!(updated["changes"]["tools_added"], json!(["other"]));
        // Its request is reported, but not granted.
        assert_eq!(updated["not_granted"].as_array().unwrap().len(), 1);
        assert_eq!(cli.json(["policy", "get", "a"])["grants"], json!([]));
        assert_eq!(version(cli), 9);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_is_what_was_shown() {
    let registry = Moving::start(&plain(1)).await;
    let cli = Arc::new(Cli::new());
    let tag = registry.server.reference("a:v1");
    with(&cli, move |cli| cli.json(["load", "--uri", &tag])).await;
    registry.push(&wider());
    let shown = format!("--accept={}", wider().digest());
    with(&cli, |cli| assert_eq!(cli.run(["update", "a"]).code, 5)).await;
    // Meanwhile the tag moves to an artifact that differs only in its code.
    registry.push(&plain(2));
    let accept = shown.clone();
    with(&cli, move |cli| {
        for which in ["a", "--all"] {
            let moved = cli.run(["update", which, &accept]);
            assert_eq!(moved.code, 5, "{}", moved.stdout);
            let now = plain(2).digest().to_string();
            assert!(moved.stderr.contains(&now), "{}", moved.stderr);
            assert_eq!(version(cli), 1);
        }
        assert_eq!(cli.run(["update", "a", "--accept=sha256:12"]).code, 2);
    })
    .await;
    registry.push(&wider());
    with(&cli, move |cli| {
        let taken = cli.json(["update", "a", &shown]);
        assert_eq!(taken["components"][0]["status"], "updated");
        assert_eq!(version(cli), 9);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_trust_is_shown_and_waits_to_be_accepted() {
    let registry = Moving::start(&plain(1)).await;
    let cli = Arc::new(Cli::new());
    let tag = registry.server.reference("a:v1");
    with(&cli, move |cli| {
        let digest = plain(1).digest().to_string();
        cli.json([
            "load", "--uri", &tag, "--name", "pinned", "--digest", &digest,
        ]);
        cli.json([
            "load",
            "--uri",
            &tag,
            "--name",
            "skipped",
            "--skip-verification",
        ]);
    })
    .await;
    registry.push(&plain(2));
    with(&cli, |cli| {
        for before in ["pinned", "skipped"] {
            let held = cli.run(["update", before]);
            assert_eq!(held.code, 5, "{}", held.stderr);
            let change = format!("~ trust: {before}, unsigned before, unsigned now");
            assert!(held.stdout.contains(&change), "{}", held.stdout);
            let taken = cli.json(["update", before, "--accept"]);
            let change = &taken["components"][0]["changes"]["trust"];
            let before = json!({"trust": before, "signature": "unsigned"});
            assert_eq!(*change, json!({"before": before, "now": "unsigned"}));
        }
    })
    .await;
}

#[test]
fn what_is_not_installed_cannot_be_updated() {
    let cli = Cli::new();
    assert_eq!(cli.run(["update", "absent"]).code, 3);
    assert_eq!(cli.run(["rollback", "absent"]).code, 3);
    assert_eq!(cli.run(["update"]).code, 2);
    assert_eq!(
        cli.run(["update", "--all", "--dry-run", "--accept"]).code,
        2
    );
    assert_eq!(
        cli.run(["outdated"]).stdout,
        "No components are installed\n"
    );
    assert_eq!(
        cli.run(["update", "--all"]).stdout,
        "Everything is up to date\n"
    );
}

/// A component that counts for a while, then returns `version`.
fn slow(version: u32) -> String {
    format!(
        r#"(component
            (core module $m (func (export "version") (result i32) (local i64)
              (loop $count
                (local.set 0 (i64.add (local.get 0) (i64.const 1)))
                (br_if $count (i64.lt_u (local.get 0) (i64.const 3_000_000_000))))
              (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "version") (result u32) (canon lift (core func $i "version"))))"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_end_on_the_version_they_began_on() {
    let place = Place::new();
    let file = place.component("tool.wat", &slow(1));
    let client = place.stdio().await;
    client.load(&file).await;
    #[cfg(target_os = "linux")]
    let before = client.cpu_time();
    let call = client.call("version", json!({}));
    let update = async {
        #[cfg(target_os = "linux")]
        processor::until_running(before, || client.cpu_time()).await;
        place.component("tool.wat", &code(2));
        let ended = place.wassette(&["update", "tool"]).output().await.unwrap();
        assert!(ended.status.success(), "{ended:?}");
    };
    let (first, ()) = tokio::join!(call, update);
    assert_eq!(first.structured_content, Some(json!({"result": 1})));
    let replaced = async {
        let second = Some(json!({"result": 2}));
        while client.call("version", json!({})).await.structured_content != second {}
    };
    within("the new version answers", replaced).await;
}
