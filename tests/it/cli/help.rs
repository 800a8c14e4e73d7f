//! The help of the program and its commands.

use clap::CommandFactory;
use serde_json::Value;

use crate::support::cli::Cli;

/// The names of all commands, such as `cache prune`, from clap's own tree.
fn commands() -> Vec<String> {
    fn below(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        for command in command.get_subcommands() {
            let name = format!("{path} {}", command.get_name());
            below(command, name.trim(), found);
        }
    }
    let mut found = Vec::new();
    below(&wassette::cli::Cli::command(), "", &mut found);
    found
}

#[test]
fn help_of_every_command() {
    let cli = Cli::new();
    let commands = commands();
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        let args = command.split_whitespace().chain(["--help"]);
        let ended = cli.run(args);
        assert_eq!(ended.code, 0);
        let name = format!("help {command}").trim().replace(' ', "-");
        insta::assert_snapshot!(name, ended.stdout);
    }
}

#[test]
fn completions_and_help_know_every_command_and_no_hidden_one() {
    let cli = Cli::new();
    let script = cli.run(["completions", "bash"]).stdout;
    let zsh = cli.run(["completions", "zsh"]).stdout;
    assert!(script.contains("--skip-verification") && script.contains("wassette,load"));
    assert!(zsh.contains("load:"));
    for command in commands() {
        let last = command.split(' ').next_back().unwrap();
        assert!(script.contains(last) && zsh.contains(last), "{command}");
    }
    let help = cli.run(["--help"]).stdout;
    // Only the server starts the compiler process, so the command is hidden.
    for text in [&script, &zsh, &help] {
        assert!(!text.contains("wassette,compile") && !text.contains("compile:"));
    }
    let wrong = cli.run(["compil"]);
    assert!(!wrong.stderr.contains("'compile'"), "{}", wrong.stderr);
}

#[test]
fn pages_are_shown_offline_and_names_of_commands_win() {
    let cli = Cli::new();
    let page = cli.run(["help", "troubleshooting"]);
    assert_eq!(page.code, 0);
    assert!(page.stdout.starts_with("# Troubleshooting"));
    for name in ["policies", "docs/policy.md"] {
        let page = cli.run(["help", name]).stdout;
        assert!(page.starts_with("# "), "{name}: {page}");
    }
    let command = cli.run(["help", "policy"]).stdout;
    assert!(command.contains("Usage: wassette policy"), "{command}");
    let nested = cli.run(["help", "cache", "prune"]).stdout;
    assert!(nested.contains("--unused-for"), "{nested}");
    let whole = cli.run(["help"]).stdout;
    assert!(whole.contains("troubleshooting") && whole.contains("Usage: wassette"));
    let wrong = cli.failure(["help", "troubelshooting"]);
    assert!(wrong.starts_with("exit code 3\n") && wrong.contains("`troubleshooting`"));
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
        &["load", "a.wasm", "b.wasm", "--name", "c"],
        &["load", "a.wasm", "--uri", "b.wasm", "--policy", "p.yaml"],
        &["registry", "search"],
        &["serve", "--transport", "smoke-signals"],
        &["call", "x", "--call-timeout", "0"],
        &["call", "--call-timeout", "1 fortnight", "x"],
        &["list", "-o", "xml"],
    ] {
        assert_eq!(cli.run(args).code, 2, "{args:?}");
    }
}

#[test]
fn usage_errors_are_data_where_data_is_asked_for() {
    let cli = Cli::new();
    for args in [
        &["list", "--lang", "-o", "json"][..],
        &["-o", "json", "lod"],
        &["--output=json", "load"],
        &["call", "x", "--call-timeout", "0", "-o", "json"],
    ] {
        let ended = cli.run(args);
        assert_eq!(ended.code, 2, "{args:?}");
        let report: Value = serde_json::from_str(&ended.stderr).expect(&ended.stderr);
        assert_eq!(report["code"], "usage", "{report}");
        let message = report["message"].as_str().unwrap();
        assert!(!message.starts_with("error:"), "{message}");
    }
    let said = cli.failure(["list", "--lang"]);
    assert!(
        said.contains("error: unexpected argument '--lang'"),
        "{said}"
    );
    assert!(said.contains("Usage: wassette list"), "{said}");
}

#[test]
fn a_root_that_is_not_there_is_told() {
    let cli = Cli::new();
    for args in [
        &["list"][..],
        &["tools"],
        &["call", "x"],
        &["unload", "x"],
        &["doctor"],
        &["secret", "set", "x", "KEY=a-long-value"],
        &["inspect", "./x.wasm"],
        &["verify", "./x.wasm"],
        &["trust", "list"],
        &["registry", "list"],
        &["diff", "-f", "x.yaml"],
        &["lock", "-f", "x.yaml"],
    ] {
        let args = [&["--root", "no/such/root"], args].concat();
        let said = cli.failure(&args);
        assert!(said.starts_with("exit code 3\n"), "{said}");
        assert!(said.contains("There is no root") && said.contains("no/such/root"));
    }
    assert!(!cli.file_path("no").exists());
    // A first load may create the root.
    let file = cli.file("c.wat", "(component)");
    cli.command()
        .args(["--root", "new/root", "load"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(cli.file_path("new/root").is_dir());
}
