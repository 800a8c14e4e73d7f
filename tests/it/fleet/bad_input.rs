//! Manifests that cannot be applied: nothing changes, and the error names the entry.

use std::fs;

use axum::response::IntoResponse;
use serde_json::json;
use wassette::digest::Digest;

use super::{code, refused, state};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::faults::Faults;

#[test]
fn a_bad_manifest_is_an_error_with_file_line_and_caret() {
    let cli = Cli::new();
    cli.file(
        "fleet.yaml",
        "components:\n  - uri: ./a.wasm\n    digets: x\n",
    );
    insta::assert_snapshot!(cli.failure(["apply", "-f", "fleet.yaml"]));
    let error = refused(&cli, &["apply", "-f", "absent.yaml"]);
    assert_eq!(error["code"], "manifest-not-found");
    fs::write(cli.file_path("fleet.yaml"), vec![b'#'; 10 << 20]).unwrap();
    let error = refused(&cli, &["apply", "-f", "fleet.yaml"]);
    assert_eq!(error["code"], "invalid-manifest");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("more than 1048576 bytes")
    );
    assert!(!cli.root().exists());
}

#[test]
fn an_include_is_below_the_manifest_whatever_links_say() {
    let cli = Cli::new();
    let outside = cli.root().with_file_name("outside.yaml");
    fs::write(&outside, "components: []\n").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, cli.file_path("link.yaml")).unwrap();
    for path in ["../outside.yaml", "link.yaml"] {
        cli.file("fleet.yaml", format!("include: [{path}]\n"));
        let error = refused(&cli, &["apply", "-f", "fleet.yaml"]);
        assert!(
            error["message"].as_str().unwrap().contains("is outside of"),
            "{error}"
        );
    }
    fs::create_dir(cli.file_path("team")).unwrap();
    fs::write(cli.file_path("team/a.wasm"), binary(&code(1))).unwrap();
    fs::write(
        cli.file_path("team/a.yaml"),
        "components: [{uri: ./a.wasm}]\n",
    )
    .unwrap();
    cli.file("fleet.yaml", "include: [team/a.yaml]\n");
    assert_eq!(cli.json(["apply", "-f", "fleet.yaml"])["status"], "applied");
}

#[test]
fn a_name_that_belongs_to_another_source_is_refused() {
    let cli = Cli::new();
    for name in ["a", "b", "c"] {
        cli.file(&format!("{name}.wasm"), binary(&code(1)));
    }
    cli.load(&cli.file_path("a.wasm"));
    let before = state(&cli);
    cli.file(
        "fleet.yaml",
        "components: [{uri: ./b.wasm, name: a}, {uri: ./c.wasm}]\n",
    );
    let error = refused(&cli, &["apply", "-f", "fleet.yaml"]);
    assert_eq!(error["code"], "component-id-taken", "{error}");
    assert!(
        error["message"].as_str().unwrap().starts_with("`a`: "),
        "{error}"
    );
    assert_eq!(state(&cli), before);
    assert!(cli.is_tidy());
}

#[test]
fn all_that_fails_is_told() {
    let cli = Cli::new();
    cli.file("a.wasm", binary(&code(1)));
    cli.file("notes.wasm", "Dear diary");
    cli.file(
        "fleet.yaml",
        "components: [{uri: ./a.wasm}, {uri: ./notes.wasm}, {uri: ./absent.wasm}]\n",
    );
    let error = refused(&cli, &["apply", "-f", "fleet.yaml"]);
    assert_eq!(error["code"], "apply-failed");
    let facts = error["facts"].to_string();
    assert!(
        facts.contains("`notes`: ") && facts.contains("`absent`: "),
        "{facts}"
    );
    assert_eq!(cli.json(["list"]), json!({"components": []}));
}

#[test]
fn a_manifest_from_standard_input_has_no_place() {
    let cli = Cli::new();
    cli.file("a.wasm", binary(&code(1)));
    let error = refused(&cli, &["apply", "-f", "-", "--prune"]);
    assert_eq!(error["code"], "usage");
    let manifest = cli.file("m.yaml", "components: [{uri: ./a.wasm}]\n");
    let mut command = cli.command();
    command.args(["apply", "-f", "-"]);
    command.stdin(fs::File::open(manifest).unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cli.json(["list"])["components"][0]["id"], "a");
    assert!(!cli.file_path("wassette.lock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_from_the_web_needs_a_digest() {
    let wasm = binary(&code(1));
    let components = Faults::start(move |_| wasm.clone().into_response()).await;
    let text = format!(
        "components: [{{uri: '{}', name: a}}]\n",
        components.url("/a.wasm")
    );
    let digest = Digest::of(text.as_bytes()).hex();
    let manifests = Faults::start(move |_| text.clone().into_response()).await;
    let url = manifests.url("/fleet.yaml");
    let cli = Cli::new();
    let commands = tokio::task::spawn_blocking(move || {
        let wrong = format!("{url}#sha256={}", "0".repeat(64));
        let error = refused(&cli, &["apply", "-f", &wrong]);
        assert_eq!(error["code"], "digest-mismatch", "{error}");
        // Without a terminal no one can confirm it.
        let ended = cli.run(["apply", "-f", &url]);
        assert_eq!(ended.code, 5, "{}", ended.stderr);
        assert!(ended.stderr.contains("#sha256="), "{}", ended.stderr);
        assert_eq!(cli.json(["list"]), json!({"components": []}));
        let pinned = format!("{url}#sha256={digest}");
        let told = cli.json(["apply", "-f", &pinned]);
        assert_eq!(told["status"], "applied");
        assert_eq!(
            cli.json(["apply", "-f", &pinned, "--dry-run"])["status"],
            "planned"
        );
    });
    commands.await.unwrap();
}
