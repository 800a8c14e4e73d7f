//! Content that differs from the lock is refused.

use std::fs;

use serde_json::Value;

use super::{Fleet, actions, code, granted, pairs, refused, state};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::wat::WIDER;

const ONE: &str = "components:\n- {uri: 'oci://R/a:v1', permissions: {}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moved_is_taken_only_when_the_lock_is_upgraded() {
    let fleet = Fleet::new();
    let first = fleet.push("a", "v1", &code(1)).await;
    fleet.manifest(ONE);
    fleet.apply(&[]);
    let lock = fleet.lock();
    assert!(lock.contains(&format!("digest = \"{first}\"")), "{lock}");
    let moved = fleet.push("a", "v1", WIDER).await;
    // The moved tag changes nothing while the locked version is installed.
    for locked in [&[][..], &["--locked"]] {
        assert_eq!(fleet.apply(locked)["status"], "unchanged");
    }
    fleet.json(&["unload", "a"]);
    let told = fleet.apply(&["--locked"]);
    assert_eq!(told["components"][0]["digest"], first.to_string());
    assert_eq!(fleet.lock(), lock);

    let upgrade = ["lock", "-f", "fleet.yaml", "--upgrade"];
    let ended = fleet.run(&[&upgrade[..], &["--dry-run"]].concat());
    for line in [
        "  + tool other\n",
        "  + imports wasi:cli/environment@0.2.0\n",
        "  ~ tool version: other result\n",
        "The lock stays as it is.",
    ] {
        assert!(ended.stdout.contains(line), "{line}\n{}", ended.stdout);
    }
    assert_eq!(fleet.lock(), lock);
    let told = fleet.json(&[&upgrade[..], &["a"]].concat());
    assert_eq!(told["components"][0]["status"], "moved");
    assert_eq!(told["written"], true);
    assert!(fleet.lock().contains(&moved.to_string()));
    let told = fleet.apply(&["--locked"]);
    assert_eq!(actions(&told), pairs(&[("a", "replace")]));
    let changes = &told["components"][0]["changes"];
    assert_eq!(changes["tools_added"][0], "other", "{changes}");
    assert_eq!(changes["imports_added"][0], "wasi:cli/environment@0.2.0");
    let unknown = refused(&fleet.cli, &[&upgrade[..], &["b"]].concat());
    assert_eq!(unknown["code"], "component-not-found");
}

#[test]
fn a_file_that_changed_is_refused_with_what_differs() {
    let cli = Cli::new();
    cli.file("a.wasm", binary(&code(1)));
    cli.file("fleet.yaml", "components: [{uri: ./a.wasm}]\n");
    cli.json(["apply", "-f", "fleet.yaml"]);
    let before = state(&cli);
    cli.file("a.wasm", binary(WIDER));
    cli.json(["unload", "a"]);
    let error = refused(&cli, &["apply", "-f", "fleet.yaml", "--locked"]);
    assert_eq!(error["code"], "lock-differs", "{error}");
    let told = error.to_string();
    for line in [
        "+ tool other",
        "+ imports wasi:cli/environment@0.2.0",
        "~ digest ",
    ] {
        assert!(told.contains(line), "{line} {told}");
    }
    assert!(!state(&cli).contains("a.wasm"), "{before}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_does_not_fit_is_refused_with_the_command_that_renews_it() {
    let fleet = Fleet::new();
    fleet.push("a", "v1", &code(1)).await;
    fleet.push("b", "v1", &code(2)).await;
    fleet.manifest(ONE);
    let error = fleet.refused(&["--locked"]);
    assert_eq!(error["code"], "lock-missing");
    fleet.apply(&[]);
    let digest = |lock: &str| {
        lock.lines()
            .find(|line| line.starts_with("digest"))
            .map(str::to_owned)
    };
    let locked = digest(&fleet.lock());
    // The digest stays even if the tag has moved.
    fleet.push("a", "v1", &code(3)).await;
    fleet.manifest(&ONE.replace("{}}", "{network: {allow: [{host: a.example.com}]}}}"));
    let before = state(&fleet.cli);
    for options in [&[][..], &["--locked"]] {
        let error = fleet.refused(options);
        assert_eq!(error["code"], "lock-stale", "{error}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("`wassette lock -f fleet.yaml`"), "{hint}");
    }
    assert_eq!(state(&fleet.cli), before);
    let told = fleet.json(&["lock", "-f", "fleet.yaml"]);
    assert_eq!(told["components"][0]["status"], "renewed");
    assert_eq!(digest(&fleet.lock()), locked);
    assert_eq!(
        actions(&fleet.apply(&["--locked"])),
        pairs(&[("a", "regrant")])
    );
    assert_eq!(granted(&fleet.cli, "a").len(), 1);

    // A new entry is resolved and locked, but not with `--locked`.
    let two = format!("{ONE}- {{uri: 'oci://R/b:v1'}}\n")
        .replace("{}}", "{network: {allow: [{host: a.example.com}]}}}");
    fleet.manifest(&two);
    assert_eq!(fleet.refused(&["--locked"])["code"], "lock-stale");
    assert_eq!(
        actions(&fleet.apply(&[])),
        pairs(&[("a", "keep"), ("b", "install")])
    );
    assert_eq!(fleet.apply(&["--locked"])["status"], "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_that_are_damaged_made_up_or_of_another_manifest_are_refused() {
    let fleet = Fleet::new();
    fleet.push("a", "v1", &code(1)).await;
    fleet.push("b", "v1", &code(2)).await;
    fleet.manifest(ONE);
    fleet.apply(&[]);
    let (lock, before) = (fleet.lock(), state(&fleet.cli));
    let with = |text: &str| {
        fleet.cli.file("wassette.lock", text);
        let error = fleet.refused(&[]);
        assert_eq!(state(&fleet.cli), before);
        error["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(with(&lock[..lock.len() - 20]), "invalid-lock");
    assert_eq!(with("digest: x"), "invalid-lock");
    let tool = lock
        .lines()
        .find(|line| line.starts_with("version = \"sha256:"))
        .unwrap();
    let other = format!("version = \"sha256:{}\"", "0".repeat(64));
    assert_eq!(with(&lock.replace(tool, &other)), "lock-differs");
    assert_eq!(
        with(&lock.replace("imports = []", "imports = [\"a:b/c\"]")),
        "lock-differs"
    );
    fleet.cli.file("wassette.lock", &lock);
    fleet.manifest("components: [{uri: 'oci://R/b:v1'}]\n");
    let error = fleet.refused(&[]);
    assert_eq!(error["code"], "lock-stale", "{error}");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("of another manifest")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_are_enforced_and_missed_on_request() {
    let fleet = Fleet::new();
    let first = fleet.push("a", "v1", &code(1)).await;
    fleet.manifest(ONE);
    let error = fleet.refused(&["--require-digests"]);
    assert_eq!(error["code"], "digest-required", "{error}");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("`a` (fleet.yaml:2)"),
        "{error}"
    );
    let ended = fleet.run(&["apply", "-f", "fleet.yaml", "--verify-digests", "--dry-run"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("digest: {first}")),
        "{}",
        ended.stderr
    );
    let with_digest =
        |digest: &str| ONE.replace("permissions", &format!("digest: '{digest}', permissions"));
    let none = format!("sha256:{}", "1".repeat(64));
    fleet.manifest(&with_digest(&none));
    let error = fleet.refused(&["--verify-digests"]);
    assert_eq!(error["code"], "digest-mismatch", "{error}");
    assert_eq!(
        fleet.json(&["list"])["components"],
        Value::Array(Vec::new())
    );
    // The pinned version is installed although its tag has moved.
    fleet.push("a", "v1", &code(2)).await;
    fleet.manifest(&with_digest(&first.to_string()));
    let told = fleet.apply(&["--verify-digests", "--require-digests"]);
    assert_eq!(told["components"][0]["digest"], first.to_string());
    assert_eq!(told["warnings"], Value::Null);

    // The installed bytes are checked too.
    let wasm = fleet.cli.root().join("components/a/a.wasm");
    let modified = fs::metadata(&wasm).unwrap().modified().unwrap();
    let mut bytes = fs::read(&wasm).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&wasm, bytes).unwrap();
    fs::File::options()
        .write(true)
        .open(&wasm)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let error = fleet.refused(&["--verify-digests"]);
    assert_eq!(error["code"], "component-damaged", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_may_be_that_of_the_component() {
    let fleet = Fleet::new();
    fleet.push("a", "v1", &code(1)).await;
    let digest = wassette::digest::Digest::of(&binary(&code(1)));
    fleet.manifest(&ONE.replace("permissions", &format!("digest: '{digest}', permissions")));
    assert_eq!(fleet.apply(&[])["status"], "applied");
    assert_eq!(fleet.apply(&[])["status"], "unchanged");
}
