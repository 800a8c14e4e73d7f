//! A pipe in place of a file is an error: opening it would wait for its other end.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;

use axum::response::IntoResponse;
use http::StatusCode;

use crate::support::cli::{Cli, ended};
use crate::support::faults::Faults;
use crate::support::mcp::CALC;

const REFUSED: &str = "not a regular file";

fn put_pipe(path: &Path) {
    let _ = fs::remove_file(path);
    let mut directory = fs::DirBuilder::new();
    directory.recursive(true).mode(0o700);
    directory.create(path.parent().unwrap()).unwrap();
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn in_the_place_of_a_components_files() {
    let commands: [&[&str]; 8] = [
        &["list"],
        &["policy", "get", "calc"],
        &["call", "add", "--args", r#"{"a": 1, "b": 2}"#],
        &["permission", "grant", "network", "calc", "a.example"],
        &["doctor"],
        &["cache", "verify"],
        &["load", "--uri", "calc.wat"],
        &["unload", "calc"],
    ];
    for file in [
        "components/calc/calc.wasm",
        "components/calc/calc.metadata.json",
        "components/calc/calc.policy.yaml",
        "components/calc/calc.policy.meta.json",
        "components/calc/calc.cwasm",
        "secrets/calc.json",
    ] {
        let cli = Cli::new();
        cli.load(&cli.file("calc.wat", CALC));
        put_pipe(&cli.root().join(file));
        for command in commands {
            let ended = cli.run(command);
            assert!(ended.code >= 0, "{file}: {command:?}: {}", ended.stderr);
        }
        assert_eq!(cli.json(["list"])["components"], serde_json::json!([]));
    }
}

#[test]
fn in_the_place_of_the_roots_files() {
    let grant = ["permission", "grant", "network", "calc", "a.example"];
    let commands: [(&str, &[&str]); 4] = [
        ("config.toml", &["list"]),
        (".lock", &grant),
        ("locks/calc.lock", &["load", "--uri", "calc.wat"]),
        ("secrets/.lock", &["secret", "set", "calc", "KEY=value"]),
    ];
    for (file, command) in commands {
        let cli = Cli::new();
        cli.load(&cli.file("calc.wat", CALC));
        put_pipe(&cli.root().join(file));
        let failure = cli.failure(command);
        assert!(failure.contains(REFUSED), "{file}: {failure}");
    }
}

#[test]
fn in_the_place_of_files_that_are_named() {
    let cli = Cli::new();
    let file = cli.file("calc.wat", CALC);
    cli.load(&file);
    let pipe = file.with_file_name("pipe");
    put_pipe(&pipe);
    let pipe = pipe.to_str().unwrap();
    let commands: [&[&str]; 4] = [
        &["policy", "set", "calc", pipe],
        &["load", "--uri", pipe],
        &["serve", "--transport", "sse", "--auth-token-file", pipe],
        &["serve", "--transport", "sse", "--audit-log", pipe],
    ];
    for command in commands {
        let failure = cli.failure(command);
        assert!(failure.contains(REFUSED), "{command:?}: {failure}");
    }
}

/// Files that are read only for a pull: Docker's logins, and certificates of hosts and
/// authorities.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_place_of_files_for_registries() {
    let guarded = Faults::start(|_| {
        let challenge = [("www-authenticate", "Basic realm=\"r\"")];
        (StatusCode::UNAUTHORIZED, challenge).into_response()
    })
    .await;
    let cli = Cli::new();
    let beside = cli.file("pipe", "").with_file_name("");
    let load = ["load", "--uri", "oci://127.0.0.1:9/a:v1"];
    let configure = |text: &str| {
        fs::create_dir_all(cli.root()).unwrap();
        fs::write(cli.root().join("config.toml"), text).unwrap();
    };

    put_pipe(&beside.join("config.json"));
    let mut command = cli.command();
    let private = guarded.reference("a:v1");
    command.args(["load", "--uri", &private]);
    command.env("DOCKER_CONFIG", &beside);
    let told = ended(command).stderr;
    assert!(told.contains(REFUSED), "{told}");

    put_pipe(&beside.join("127.0.0.1:9/hosts.toml"));
    configure(&format!("[registry]\ncerts_dir = {beside:?}\n"));
    let told = cli.failure(load);
    assert!(told.contains(REFUSED), "{told}");

    put_pipe(&beside.join("ca.pem"));
    configure(&format!("[network]\nca = [{:?}]\n", beside.join("ca.pem")));
    let told = cli.failure(["load", "--uri", "oci://r.invalid/a:v1"]);
    assert!(told.contains(REFUSED), "{told}");
}
