//! `doctor` on sound roots, and with one problem after the other.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use axum::response::IntoResponse;
use serde_json::Value;

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::faults::{Faults, Honest};
use crate::support::mcp::CALC;

/// The exit code and the finding of one check.
fn diagnose(cli: &Cli, check: &str, args: &[&str]) -> (i32, Value) {
    let ended = cli.run([&["doctor", "-o", "json"], args].concat());
    let diagnosis: Value = serde_json::from_str(&ended.stdout).unwrap();
    let findings = diagnosis["findings"].as_array().unwrap();
    let found = findings.iter().find(|one| one["check"] == check);
    (ended.code, found.unwrap_or(&Value::Null).clone())
}

fn open_to(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Finds a problem, with advice.
#[track_caller]
fn is_ill(cli: &Cli, check: &str, told: &str) {
    let (code, found) = diagnose(cli, check, &[]);
    assert_eq!((code, &found["state"]), (1, &"problem".into()), "{found}");
    assert!(found["found"].as_str().unwrap().contains(told), "{found}");
    assert!(found["advice"].is_string(), "{found}");
}

#[test]
fn a_new_root_is_well() {
    let cli = Cli::new();
    let ended = cli.run(["doctor"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    for check in ["root", "disk", "components", "secrets", "engine", "clock"] {
        assert!(ended.stdout.contains(check), "{}", ended.stdout);
        let (_, found) = diagnose(&cli, check, &[]);
        assert_eq!(found["state"], "ok", "{found}");
    }
    for check in ["credentials", "registries"] {
        assert_eq!(diagnose(&cli, check, &[]).1["state"], "skipped");
    }
    assert!(cli.is_tidy());
}

#[test]
fn a_root_in_use_is_well() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    assert_eq!(cli.run(["secret", "set", "calc", "KEY=value"]).code, 0);
    // Earlier versions left this file like this; it contains nothing to read.
    open_to(&cli.root().join("secrets/.lock"), 0o644);
    let login = cli.root().join("auth.json");
    fs::write(&login, r#"{"auths": {"a.example": {"auth": "dTpw"}}}"#).unwrap();
    open_to(&login, 0o600);
    cli.json(["call", "add", "--args", r#"{"a": 1, "b": 2}"#]);
    let before = cli.json(["cache", "list"]);
    let ended = cli.run(["doctor"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains("problem"), "{}", ended.stdout);
    // Looking changes nothing.
    assert_eq!(cli.json(["cache", "list"]), before);
    open_to(&login, 0o640);
    is_ill(&cli, "secrets", "auth.json");
}

#[test]
fn locks_are_for_their_owner() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    assert_eq!(cli.run(["secret", "set", "calc", "KEY=value"]).code, 0);
    for lock in [".lock", "secrets/.lock", "locks/calc.lock"] {
        let mode = fs::metadata(cli.root().join(lock))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{lock}");
    }
}

#[test]
fn what_others_can_read_or_change_is_told() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    open_to(&cli.root(), 0o770);
    is_ill(&cli, "root", "other users can change");
    open_to(&cli.root(), 0o700);
    assert_eq!(cli.run(["secret", "set", "calc", "KEY=value"]).code, 0);
    open_to(&cli.root().join("secrets/calc.json"), 0o644);
    is_ill(&cli, "secrets", "calc.json");
}

#[test]
fn damaged_components_are_told() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    let component = cli.root().join("components/calc/calc.wasm");
    let mut bytes = fs::read(&component).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&component, bytes).unwrap();
    is_ill(&cli, "components", "`calc`");
}

#[test]
fn credentials_that_cannot_be_read_are_told_without_being_shown() {
    let cli = Cli::new();
    let docker = cli.root().with_file_name(".docker");
    fs::create_dir(&docker).unwrap();
    fs::write(
        docker.join("config.json"),
        "{\"auths\": {\"a.example\": hunter2",
    )
    .unwrap();
    is_ill(&cli, "credentials", "line 1");
    let ended = cli.run(["doctor"]);
    assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
    let sound = r#"{"auths": {"a.example": {"auth": "dTpw"}}}"#;
    fs::write(docker.join("config.json"), sound).unwrap();
    let (code, found) = diagnose(&cli, "credentials", &[]);
    assert_eq!((code, &found["state"]), (0, &"ok".into()), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_are_asked_and_so_is_the_time_there() {
    let honest = Honest::new(&Artifact::new(&[(WASM, &binary(CALC))]));
    let server = Faults::start(move |seen| match seen.target.as_str() {
        "/v2/" => [("date", "Sun, 06 Nov 1994 08:49:37 GMT")].into_response(),
        _ => honest.answer(seen),
    })
    .await;
    let cli = Arc::new(Cli::new());
    let (uri, host) = (server.reference("a:v1"), server.address());
    let shared = cli.clone();
    let told = tokio::task::spawn_blocking(move || {
        shared.json(["load", "--uri", &uri]);
        let (_, offline) = diagnose(&shared, "registries", &["--offline"]);
        assert_eq!(offline["state"], "skipped");
        is_ill(&shared, "clock", "1994");
        diagnose(&shared, "registry", &[]).1
    });
    let told = told.await.unwrap();
    assert_eq!(told["state"], "ok", "{told}");
    drop(server);
    let ill = tokio::task::spawn_blocking(move || is_ill(&cli, "registry", &host));
    ill.await.unwrap();
}

#[test]
fn a_bad_configuration_is_the_first_thing_told() {
    let cli = Cli::new();
    fs::create_dir_all(cli.root()).unwrap();
    fs::write(cli.root().join("config.toml"), "[limits]\nidel = 3\n").unwrap();
    let failure = cli.failure(["doctor"]);
    assert!(failure.starts_with("exit code 2\n"), "{failure}");
    assert!(failure.contains("idel"), "{failure}");
}
