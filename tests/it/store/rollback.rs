//! Rollbacks.

use std::fs;

use serde_json::json;

use super::update::{code, version};
use crate::support::cli::Cli;

#[test]
fn a_rollback_brings_the_version_before_back_and_leaves_grants() {
    let cli = Cli::new();
    let file = cli.file("tool.wat", code(1));
    cli.load(&file);
    let none = cli.failure(["rollback", "tool"]);
    assert!(none.starts_with("exit code 3\n"), "{none}");
    cli.json(["permission", "grant", "network", "tool", "old.example.com"]);
    fs::write(&file, code(2)).unwrap();
    cli.load(&file);
    cli.json(["permission", "reset", "tool"]);
    cli.json(["permission", "grant", "network", "tool", "new.example.com"]);
    let grants = || cli.json(["policy", "get", "tool"])["policy"].clone();
    let granted = grants();

    for expected in [1, 2, 1] {
        let back = cli.run(["rollback", "tool"]);
        assert_eq!(back.code, 0, "{}", back.stderr);
        assert!(back.stdout.contains("only code changed"), "{}", back.stdout);
        assert_eq!(version(&cli), expected);
        // A grant that was revoked in between stays revoked.
        assert_eq!(grants(), granted);
    }
    assert!(cli.is_tidy());
    assert_eq!(cli.run(["cache", "verify"]).code, 0);
    // An update installs the newer version again.
    assert_eq!(
        cli.json(["update", "tool"])["components"][0]["status"],
        "updated"
    );
    assert_eq!(version(&cli), 2);
}

#[test]
fn a_damaged_way_back_is_not_taken() {
    let cli = Cli::new();
    let file = cli.file("tool.wat", code(1));
    cli.load(&file);
    fs::write(&file, code(2)).unwrap();
    cli.load(&file);
    let kept = cli.root().join("previous/tool/tool.wasm");
    let mut bytes = fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&kept, bytes).unwrap();
    let damaged = cli.failure(["rollback", "tool"]);
    assert!(damaged.starts_with("exit code 5\n"), "{damaged}");
    assert_eq!(version(&cli), 2);
}

#[test]
fn a_previous_version_is_kept_until_it_is_pruned_or_unloaded() {
    let cli = Cli::new();
    let file = cli.file("tool.wat", code(1));
    let replace = || {
        for version in [1, 2] {
            fs::write(&file, code(version)).unwrap();
            cli.load(&file);
        }
    };
    replace();
    assert!(cli.json(["cache", "list"])["components"][0]["previous_bytes"].is_u64());
    // The just replaced version was in use until now.
    cli.json(["cache", "prune", "--unused-for", "1h"]);
    cli.json(["cache", "clear"]);
    assert_eq!(cli.json(["rollback", "tool"])["component_id"], "tool");
    let pruned = cli.json(["cache", "prune", "--max-size", "1"]);
    assert_eq!(pruned["previous"], json!(["tool"]));
    assert_eq!(cli.run(["rollback", "tool"]).code, 3);

    replace();
    cli.json(["unload", "tool"]);
    cli.load(&file);
    assert_eq!(cli.run(["rollback", "tool"]).code, 3);
}
