//! Files that changed on disk: those that can be rebuilt are rebuilt, the others are not served.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::mcp::{CALC, Place, text_of};

struct Root {
    cli: Cli,
}

impl Root {
    fn new() -> Self {
        let cli = Cli::new();
        cli.load(&cli.file("calc.wat", CALC));
        Root { cli }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        let directory = self.cli.root().join("components/calc");
        directory.join(format!("calc.{suffix}"))
    }

    fn flip(&self, suffix: &str, at: usize) {
        let mut bytes = fs::read(self.path(suffix)).unwrap();
        bytes[at] ^= 1;
        fs::write(self.path(suffix), bytes).unwrap();
    }

    fn sum(&self) -> Option<Value> {
        let ended = self
            .cli
            .run(["call", "add", "--args", r#"{"a": 1, "b": 2}"#, "-o", "json"]);
        (ended.code == 0).then(|| serde_json::from_str(&ended.stdout).unwrap())
    }

    fn verified(&self) -> i32 {
        self.cli.run(["cache", "verify"]).code
    }
}

fn three() -> Option<Value> {
    Some(json!({"result": 3}))
}

#[test]
fn any_bit_of_the_metadata_is_mended_from_the_copy() {
    let root = Root::new();
    let length = fs::read(root.path("metadata.json")).unwrap().len();
    for at in (0..length).step_by(97).chain([length - 1]) {
        for suffix in ["metadata.json", "metadata.copy.json"] {
            root.flip(suffix, at);
            if fs::read_to_string(root.path(suffix))
                .is_ok_and(|text| text.trim_end().ends_with('}'))
            {
                assert_eq!(root.verified(), 5, "{suffix} {at}");
            }
            let repaired = root.cli.run(["cache", "verify", "--repair"]);
            assert_eq!(repaired.code, 0, "{suffix} {at}: {}", repaired.stdout);
        }
    }
    // A start repairs it too, without a command.
    root.flip("metadata.json", 40);
    assert_eq!(root.sum(), three());
    assert_eq!(root.verified(), 0);
}

#[test]
fn metadata_damaged_twice_is_reported_and_mended_by_a_load() {
    let root = Root::new();
    root.flip("metadata.json", 40);
    root.flip("metadata.copy.json", 40);
    assert_eq!(root.sum(), None);
    let listed = root.cli.json(["list"]);
    assert_eq!(listed["components"][0]["status"], "damaged");
    root.cli.load(&root.cli.file("calc.wat", CALC));
    assert_eq!(root.sum(), three());
}

#[test]
fn code_that_changed_is_made_again_without_a_word() {
    let root = Root::new();
    for at in [0, 500, 5000] {
        root.flip("cwasm", at);
        assert_eq!(root.sum(), three());
    }
    File::create(root.path("cwasm")).unwrap();
    assert_eq!(root.sum(), three());
    // A file of another user was not written by this program.
    #[cfg(unix)]
    {
        crate::support::owner::give_away(&root.path("cwasm"));
        assert_eq!(root.sum(), three());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_moves_a_component_whose_bytes_changed_aside() {
    let place = Place::new();
    let uri = place.component("calc.wat", CALC);
    let client = place.stdio().await;
    client.load(&uri).await;
    drop(client);
    let root = place.path("root");
    let wasm = root.join("components/calc/calc.wasm");
    let mut bytes = fs::read(&wasm).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&wasm, &bytes).unwrap();

    let client = place.stdio().await;
    assert!(!client.tool_names().await.contains(&"add".to_owned()));
    let aside = fs::read_dir(root.join("quarantine")).unwrap();
    let kept: Vec<_> = aside.flatten().map(|entry| entry.path()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(kept[0].join("calc.wasm")).unwrap(), bytes);
    // Loading it from its source repairs it.
    client.load(&uri).await;
    assert!(client.tool_names().await.contains(&"add".to_owned()));
}

/// Changes a byte of the component and restores the file's time.
fn change_behind_its_stamp(wasm: &Path) {
    let time = fs::metadata(wasm).unwrap().modified().unwrap();
    let mut bytes = fs::read(wasm).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(wasm, bytes).unwrap();
    let file = File::options().write(true).open(wasm).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn bytes_behind_a_forged_time_are_set_aside_by_the_call_that_meets_them() {
    let root = Root::new();
    root.cli.json(["cache", "clear"]);
    change_behind_its_stamp(&root.path("wasm"));
    assert_eq!(root.cli.json(["list"])["components"][0]["status"], "ok");
    let args = ["call", "add", "--args", r#"{"a": 1, "b": 2}"#];
    let refused = root.cli.failure(args);
    assert!(refused.starts_with("exit code 5\n"), "{refused}");
    assert!(refused.contains("is damaged: its code is"), "{refused}");
    assert_eq!(root.cli.json(["list"])["components"], json!([]));
    let aside = fs::read_dir(root.cli.root().join("quarantine")).unwrap();
    assert_eq!(aside.count(), 1);
    root.cli.load(&root.cli.file("calc.wat", CALC));
    assert_eq!(root.sum(), three());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_meets_bytes_behind_a_forged_time_offers_them_no_longer() {
    let place = Place::new();
    let uri = place.component("calc.wat", CALC);
    for command in [&["load", "--uri", &uri][..], &["cache", "clear"]] {
        assert!(
            place
                .wassette(command)
                .output()
                .await
                .unwrap()
                .status
                .success()
        );
    }
    let mut client = place.stdio().await;
    change_behind_its_stamp(&place.path("root").join("components/calc/calc.wasm"));
    let refused = client.call("add", json!({"a": 1, "b": 2})).await;
    assert_eq!(text_of(&refused)["code"], "component-damaged");
    client.tools_changed().await;
    assert!(!client.tool_names().await.contains(&"add".to_owned()));
    assert!(place.path("root/quarantine").is_dir());
}

#[test]
fn forged_times_do_not_matter() {
    let root = Root::new();
    root.cli
        .json(["permission", "grant", "network", "calc", "a.example.com"]);
    // The first call records its time.
    assert_eq!(root.sum(), three());
    let times = [
        SystemTime::UNIX_EPOCH,
        SystemTime::now() + Duration::from_secs(1 << 33),
        SystemTime::now() - Duration::from_secs(3600),
    ];
    for time in times {
        let all = [
            "wasm",
            "cwasm",
            "metadata.json",
            "metadata.copy.json",
            "used",
            "policy.yaml",
        ];
        for suffix in all {
            let file = File::options().write(true).open(root.path(suffix)).unwrap();
            file.set_modified(time).unwrap();
        }
        assert_eq!(root.sum(), three());
        assert_eq!(root.verified(), 0);
        assert_eq!(root.cli.run(["list", "--long"]).code, 0);
        let granted = root.cli.json(["policy", "get", "calc"]).to_string();
        assert!(granted.contains("a.example.com"), "{granted}");
    }
}

/// Uses a root as written by the last version before format 2.
#[test]
fn a_root_of_the_previous_format_goes_on_with_its_policies_and_secrets() {
    let cli = Cli::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-format-1");
    let copied = Command::new("cp")
        .arg("-r")
        .args([&fixture, &cli.root()])
        .status();
    assert!(copied.unwrap().success());
    // Git does not store modes and times.
    let closed = Command::new("chmod")
        .args(["-R", "go="])
        .arg(cli.root())
        .status();
    assert!(closed.unwrap().success());
    let root = Root { cli };

    assert_eq!(root.sum(), three());
    let text = fs::read_to_string(root.path("metadata.json")).unwrap();
    assert!(text.contains("\"format\": 2") && text.contains("\"checksum\""));
    assert_eq!(
        fs::read_to_string(root.path("metadata.copy.json")).unwrap(),
        text
    );
    let listed = root.cli.json(["list"])["components"][0].clone();
    assert_eq!(listed["source"], "file:///srv/tools/calc.wat");
    assert_eq!(listed["tool_names"], json!(["add"]));
    for kept in [
        "components/calc/calc.policy.yaml",
        "components/calc/calc.policy.meta.json",
        "secrets/calc.json",
    ] {
        let (old, now) = (fixture.join(kept), root.cli.root().join(kept));
        assert_eq!(fs::read(old).unwrap(), fs::read(now).unwrap(), "{kept}");
    }
    let granted = root.cli.json(["policy", "get", "calc"]);
    let by = granted["grants"].as_array().unwrap().iter();
    let by: Vec<_> = by
        .map(|grant| (&grant["granted_by"], &grant["description"]))
        .collect();
    assert_eq!(by.len(), 2, "{granted}");
    assert!(by.iter().all(|(by, _)| **by == "cli"), "{granted}");
    assert_eq!(root.verified(), 0);
}

/// Its size says enough: to hash it would take minutes.
#[test]
fn a_file_of_another_size_is_not_read() {
    let root = Root::new();
    for size in [0, 100 << 30] {
        let file = File::options().write(true).open(root.path("wasm")).unwrap();
        file.set_len(size).unwrap();
        let refused = root
            .cli
            .failure(["call", "add", "--args", r#"{"a": 1, "b": 2}"#]);
        let told = format!("its code has {size} bytes, but");
        assert!(refused.contains(&told), "{refused}");
        root.cli.load(&root.cli.file("calc.wat", CALC));
        assert_eq!(root.sum(), three());
    }
}
