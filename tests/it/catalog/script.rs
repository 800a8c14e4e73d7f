//! Runs the script of `examples/ci` that checks a catalog from outside.

use std::path::Path;
use std::process::Command;

use super::{document, entry, git, registry};
use crate::support::cli::{Cli, Ended, ended};
use crate::support::installed;

fn check(cli: &Cli, base: &str) -> Ended {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci");
    let mut script = Command::new(examples.join("validate-component-registry.sh"));
    let clients = installed::client("node");
    let clients = clients.get_current_dir().unwrap().display();
    let inspector = format!("{clients}/node {clients}/node_modules/.bin/mcp-inspector");
    script
        .args(["component-registry.json", base])
        .current_dir(cli.root().with_file_name("files"))
        .env("HOME", cli.root().with_file_name("files"))
        .env("WASSETTE", env!("CARGO_BIN_EXE_wassette"))
        .env("INSPECTOR", inspector)
        .env("PORT", "0");
    ended(script)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_tells_good_entries_from_bad_ones() {
    let registry = registry().await;
    let cli = Cli::new();
    // Entries that were there before are not requested.
    let old = entry("old", "oci://127.0.0.1:9/old:v1");
    let file = cli.file(
        "component-registry.json",
        document(std::slice::from_ref(&old)),
    );
    let directory = file.parent().unwrap();
    git(directory, &["init", "--quiet"]);
    git(directory, &["add", "."]);
    git(directory, &["commit", "--quiet", "-m", "a"]);

    let (good, bad) = (registry.reference("calc:v1"), registry.reference("calc:v2"));
    let both = [old.clone(), entry("good", &good), entry("bad", &bad)];
    cli.file("component-registry.json", document(&both));
    let seen = check(&cli, "HEAD");
    assert_eq!(seen.code, 1, "{}\n{}", seen.stdout, seen.stderr);
    assert!(
        seen.stdout
            .contains(&format!("{good}\n  tools: add, spin\n  passed"))
    );
    assert!(
        seen.stdout.contains(&format!("{bad}\n  failed")),
        "{}",
        seen.stdout
    );
    assert!(
        seen.stdout.ends_with("1 passed, 1 failed\n"),
        "{}",
        seen.stdout
    );
    assert!(seen.stderr.contains("not-found"), "{}", seen.stderr);

    cli.file(
        "component-registry.json",
        document(&[old, entry("good", &good)]),
    );
    let seen = check(&cli, "HEAD");
    assert_eq!(seen.code, 0, "{}\n{}", seen.stdout, seen.stderr);
    assert!(
        seen.stdout.ends_with("1 passed, 0 failed\n"),
        "{}",
        seen.stdout
    );
    let unknown = check(&cli, "absent");
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
}
