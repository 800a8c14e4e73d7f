//! `registry validate`.

use serde_json::{Value, json};

use super::{document, entry, git, registry};
use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, ended};

/// Runs `registry validate` and reads what it printed as JSON.
fn validated(cli: &Cli, args: &[&str]) -> (i32, Value) {
    let mut command = cli.command();
    command.args(["registry", "validate"]).args(args);
    command.args(["-o", "json"]);
    let ended = ended(command);
    let printed = serde_json::from_str(&ended.stdout);
    (
        ended.code,
        printed.unwrap_or_else(|_| panic!("{}", ended.stderr)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_is_judged_by_itself() {
    let registry = registry().await;
    let module = Artifact::new(&[(WASM, b"\0asm\x01\0\0\0")]);
    registry.push("module", "v1", &module).await;
    let cli = Cli::new();
    let good = registry.reference("calc:v1");
    let mut pinned = entry("pinned", &good);
    pinned["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    let cases = [
        (entry("good", &good), None),
        (entry("again", &good), None),
        (
            entry("absent", &registry.reference("calc:v2")),
            Some("not-found"),
        ),
        (
            entry("module", &registry.reference("module:v1")),
            Some("core-module"),
        ),
        (pinned, Some("digest-mismatch")),
        (entry("GOOD", &good), Some("invalid-catalog-entry")),
        (entry("no uri", "calc.wasm"), Some("invalid-catalog-entry")),
        (json!(7), Some("invalid-catalog-entry")),
    ];
    let entries: Vec<Value> = cases.iter().map(|(entry, _)| entry.clone()).collect();
    cli.file(
        "component-registry.json",
        format!("\u{feff}{}", document(&entries)),
    );
    let (code, seen) = validated(&cli, &["--jobs", "3"]);
    assert_eq!(code, 1);
    for ((entry, wanted), seen) in cases.iter().zip(seen["entries"].as_array().unwrap()) {
        match wanted {
            None => {
                assert_eq!(seen["status"], "passed", "{seen}");
                assert_eq!(seen["tool_names"], json!(["add", "spin"]), "{seen}");
            }
            Some(code) => {
                assert_eq!(seen["status"], "failed", "{entry}: {seen}");
                assert_eq!(seen["error"]["code"], *code, "{seen}");
            }
        }
    }
    // Nothing was installed.
    assert_eq!(cli.json(["list"]), json!({ "components": [] }));

    let table = cli.run(["registry", "validate"]);
    assert!(table.stdout.contains("passed"), "{}", table.stdout);
    assert!(table.stdout.contains("digest-mismatch"), "{}", table.stdout);
    assert!(
        table.stderr.contains("6 of 8 entries failed"),
        "{}",
        table.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_asked_for() {
    let registry = registry().await;
    let cli = Cli::new();
    let old = entry("old", "oci://127.0.0.1:9/old:v1");
    let file = cli.file("catalog.json", document(std::slice::from_ref(&old)));
    let directory = file.parent().unwrap();
    git(directory, &["init", "--quiet"]);
    git(
        directory,
        &["commit", "--quiet", "--allow-empty", "-m", "without"],
    );
    git(directory, &["tag", "empty"]);
    git(directory, &["add", "."]);
    git(directory, &["commit", "--quiet", "-m", "with"]);
    git(directory, &["tag", "base"]);

    let (code, seen) = validated(&cli, &["catalog.json", "--changed-since", "base"]);
    assert_eq!((code, seen), (0, json!({ "entries": [] })));
    let new = entry("new", &registry.reference("calc:v1"));
    cli.file("catalog.json", document(&[old.clone(), new]));
    let (code, seen) = validated(&cli, &["catalog.json", "--changed-since", "base"]);
    assert_eq!(code, 0, "{seen}");
    assert_eq!(seen["entries"].as_array().unwrap().len(), 1);
    assert_eq!(seen["entries"][0]["name"], "new");
    // If the file did not exist, all entries are new. A duplicate name is still an error.
    let taken = [old.clone(), entry("old", &registry.reference("calc:v1"))];
    cli.file("catalog.json", document(&taken));
    let (code, seen) = validated(&cli, &["catalog.json", "--changed-since", "base"]);
    assert_eq!(code, 1);
    assert_eq!(seen["entries"][0]["error"]["code"], "invalid-catalog-entry");
    cli.file(
        "catalog.json",
        document(&[entry("old", "oci://127.0.0.1:9/x:v1")]),
    );
    let (_, seen) = validated(&cli, &["catalog.json", "--changed-since", "empty"]);
    assert_eq!(seen["entries"].as_array().unwrap().len(), 1);

    for revision in ["absent", "--help", "base:catalog.json"] {
        let option = format!("--changed-since={revision}");
        let ended = cli.run(["registry", "validate", "catalog.json", &option]);
        assert_eq!(ended.code, 1, "{revision}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("git does not have"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn reports_are_of_the_form_that_their_readers_take() {
    let cli = Cli::new();
    let odd = entry("a<b>&\"c\":,%\u{1b}", "oci://127.0.0.1:9/a:v1");
    cli.file("component-registry.json", document(&[odd]));
    let junit = cli
        .run(["registry", "validate", "--report", "junit"])
        .stdout;
    assert!(junit.contains("tests=\"1\" failures=\"1\""), "{junit}");
    assert!(
        junit.contains("name=\"a&lt;b&gt;&amp;&quot;c&quot;:,%"),
        "{junit}"
    );
    assert!(junit.contains("type=\"invalid-catalog-entry\""), "{junit}");
    let github = cli
        .run(["registry", "validate", "--report", "github"])
        .stdout;
    let line = github.lines().next().unwrap();
    let start = "::error file=component-registry.json,title=a<b>&\"c\"%3A%2C%25";
    assert!(line.starts_with(start), "{line}");
    assert!(line.contains("%0A"), "{line}");
    assert!(github.ends_with("0 of 1 entries passed\n"), "{github}");
}

#[test]
fn what_is_no_catalog_is_told() {
    let cli = Cli::new();
    let error = cli.run(["registry", "validate"]);
    assert!(
        error.stderr.contains("component-registry.json"),
        "{}",
        error.stderr
    );
    for text in ["", "<html>", "{}", "[1", "{\"components\": 7}"] {
        cli.file("component-registry.json", text);
        let error = cli.run(["registry", "validate", "-o", "json"]);
        assert_eq!(error.code, 2, "{text}: {}", error.stderr);
        assert!(error.stderr.contains("invalid-catalog"), "{}", error.stderr);
    }
    // A catalog without entries is valid.
    cli.file("component-registry.json", "[]");
    assert_eq!(cli.run(["registry", "validate"]).code, 0);
}
