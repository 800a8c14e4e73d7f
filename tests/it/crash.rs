//! A load that is killed leaves the old state or the new one.

use std::time::Duration;

use serde_json::json;

use crate::support::cli::Cli;

/// Enough code that a compile takes a while, answering with `version`.
fn slow_component(version: u32) -> String {
    let body = "(i32.xor (i32.const 77)) (i32.rotl (i32.const 5))".repeat(100);
    let filler = format!("(func (param i32) (result i32) (local.get 0) {body})").repeat(300);
    format!(
        r#"(component
            (core module $m {filler} (func (export "version") (result i32) (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "version") (result u32) (canon lift (core func $i "version"))))"#
    )
}

#[test]
fn a_killed_load_leaves_the_old_or_the_new() {
    let cli = Cli::new();
    let file = cli.file("tool.wat", slow_component(0));
    let uri = file.to_str().unwrap();
    cli.load(&file);
    let mut current = 0;
    for (version, millis) in (1..=24).zip([0, 2, 5, 10, 20, 40, 80, 160].into_iter().cycle()) {
        cli.file("tool.wat", slow_component(version));
        let mut load = cli.command().args(["load", "--uri", uri]).spawn().unwrap();
        // Any moment will do; the point is that there are many of them.
        std::thread::sleep(Duration::from_millis(millis));
        load.kill().unwrap();
        load.wait().unwrap();
        let answer = cli.json(["call", "version"])["result"].as_u64().unwrap();
        assert!(
            answer == current || answer == u64::from(version),
            "{answer} is neither {current} nor {version}"
        );
        current = answer;
    }
    cli.file("tool.wat", slow_component(99));
    cli.load(&file);
    assert_eq!(cli.json(["call", "version"]), json!({"result": 99}));
    assert!(cli.is_tidy(), "leftovers were not swept");
}
