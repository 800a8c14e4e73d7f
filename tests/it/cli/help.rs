//! What the program says of itself.

use crate::support::cli::Cli;

#[test]
fn help_of_every_command() {
    let cli = Cli::new();
    for command in [
        "",
        "load",
        "unload",
        "list",
        "outdated",
        "update",
        "rollback",
        "inspect",
        "call",
        "registry",
        "registry list",
        "registry search",
        "login",
        "logout",
        "secret",
        "secret set",
        "secret list",
        "secret delete",
        "serve",
        "completions",
        "doctor",
    ] {
        let args = command.split_whitespace().chain(["--help"]);
        let ended = cli.run(args);
        assert_eq!(ended.code, 0);
        let name = format!("help {command}").trim().replace(' ', "-");
        insta::assert_snapshot!(name, ended.stdout);
    }
}

#[test]
fn usage_errors_end_with_2() {
    let cli = Cli::new();
    for args in [
        &["lod"][..],
        &["load"],
        &["load", "--uri", "a.wasm", "--digest", "sha256:00"],
        &["load", "--uri", "a.wasm", "--name", "UPPER"],
        &[
            "load",
            "--uri",
            "a.wasm",
            "--skip-verification",
            "--digest",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ],
        &["registry", "search"],
        &["serve", "--transport", "smoke-signals"],
        &["call", "x", "--call-timeout", "0"],
        &["list", "-o", "xml"],
    ] {
        assert_eq!(cli.run(args).code, 2, "{args:?}");
    }
}

#[test]
fn completions_know_the_commands() {
    let script = Cli::new().run(["completions", "bash"]).stdout;
    assert!(script.contains("--skip-verification"));
}
