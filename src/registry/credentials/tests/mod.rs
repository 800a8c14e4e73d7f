//! Tests of credentials, by the format of their source.

mod asked;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::environment::{Entry, Piece, entries};
use super::*;
use crate::registry::Login;

fn wanted<'a>(registry: &'a str, repository: &'a str) -> Wanted<'a> {
    Wanted {
        registry,
        repository,
    }
}

fn password(username: &str, secret: &str) -> Credential {
    Credential::Password {
        username: username.into(),
        secret: secret.into(),
    }
}

#[test]
fn the_variable_has_hosts_ports_users_and_secrets() {
    for (text, registry, username, secret) in [
        ("ghcr.io:token:ghp_x", "ghcr.io", "token", "ghp_x"),
        (
            "localhost:5000:alice:s3cret",
            "localhost:5000",
            "alice",
            "s3cret",
        ),
        ("GHCR.io:Me:a:b:c", "ghcr.io", "Me", "a:b:c"),
        ("r:5:6:7", "r:5", "6", "7"),
        ("[::1]:5000:u:s", "[::1]:5000", "u", "s"),
        ("[::1]:u:s", "[::1]", "u", "s"),
        (" r:u:s ,", "r", "u", "s"),
    ] {
        let parsed = entries(text);
        let expected = Entry {
            registry: registry.into(),
            username,
            secret: secret.into(),
        };
        let expected = Piece {
            entry: Some(expected),
            has_comma: false,
        };
        assert_eq!(parsed, [expected], "{text}");
    }
    for text in [
        "ghcr.io",
        "ghcr.io:token",
        "r:5000:user",
        "::",
        "r::s",
        "r:u:",
        "[::1",
        ":u:s",
    ] {
        let unreadable = Piece {
            entry: None,
            has_comma: false,
        };
        assert_eq!(entries(text), [unreadable], "{text}");
    }
    assert_eq!(entries("broken, a:u:1,,b:u:2,").len(), 3);
}

#[test]
fn a_password_may_have_commas() {
    for (text, first) in [
        ("r:bob:p,w", "p,w"),
        ("r:bob:p, w", "p, w"),
        ("r:bob:p,w:x", "p,w:x"),
        ("r:bob:p,,w", "p,,w"),
        ("r:bob:p,w,s:ann:q", "p,w"),
        ("s:ann:q,r:bob:p,w", "p,w"),
    ] {
        let text = Secret::from(text);
        let find = |registry| environment::find(&text, wanted(registry, "x"));
        assert_eq!(find("r"), Some(password("bob", first)), "{text:?}");
        let other = text.expose().contains("ann").then(|| password("ann", "q"));
        assert_eq!(find("s"), other);
    }
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_do_no_harm() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("config.json");
    let text = "\u{feff}{\r\n\"auths\": {\"r\": {\"auth\": \"dTpz\"}}\r\n}\r\n";
    fs::write(&path, text).expect("written");
    let config = docker::Config::read(&path).expect("read");
    let entry = config.entry(wanted("r", "x")).expect("an entry");
    assert_eq!(entry.credential(), Some(password("u", "s")));
}

#[test]
fn the_first_entry_of_a_registry_counts() {
    let text = Secret::from("broken,r:5000:a:1,r:b:2,r:c:3,docker.io:d:4");
    let find = |registry| environment::find(&text, wanted(registry, "x"));
    assert_eq!(find("r"), Some(password("b", "2")));
    assert_eq!(find("r:5000"), Some(password("a", "1")));
    assert_eq!(find("registry-1.docker.io"), Some(password("d", "4")));
    assert_eq!(find("r:5001"), None);
}

proptest! {
    #[test]
    fn no_variable_panics(text in any::<String>()) {
        let _ = entries(&text);
    }

    #[test]
    fn no_helper_output_panics(output in any::<Vec<u8>>()) {
        let _ = helper::parse(&output);
    }
}

#[test]
fn secrets_do_not_show() {
    let secret = Secret::from("hunter2");
    let credentials = [
        password("u", "hunter2"),
        Credential::IdentityToken(secret.clone()),
        Credential::RegistryToken(secret.clone()),
    ];
    let options = CredentialOptions {
        given: Some(Given {
            registry: "r".into(),
            credential: password("u", "hunter2"),
        }),
        registry_auth: Some("r:u:hunter2".into()),
        ..CredentialOptions::default()
    };
    let shown = format!("{secret} {secret:?} {credentials:?} {options:#?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(secret.expose(), "hunter2");
}

/// The credential of a file with this content.
async fn in_file(content: &str, registry: &str, repository: &str) -> Option<Credential> {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("config.json");
    fs::write(&path, content).expect("written");
    let credentials = Credentials::new(CredentialOptions {
        config_files: vec![path],
        ..CredentialOptions::default()
    });
    let found = credentials.find(wanted(registry, repository)).await;
    found.map(|found| found.credential)
}

#[tokio::test]
async fn every_form_of_an_entry_is_read() {
    // `YTpi` is `a:b`.
    for (entry, expected) in [
        (r#"{"auth": "YTpi"}"#, Some(password("a", "b"))),
        (r#"{"auth": "YTpiYw"}"#, Some(password("a", "bc"))),
        (
            r#"{"username": "a", "password": "b"}"#,
            Some(password("a", "b")),
        ),
        (
            r#"{"auth": "YTo=", "identitytoken": "i"}"#,
            Some(Credential::IdentityToken("i".into())),
        ),
        (
            r#"{"registrytoken": "t"}"#,
            Some(Credential::RegistryToken("t".into())),
        ),
        ("{}", None),
        (r#"{"auth": "not base64!"}"#, None),
        (r#"{"auth": "YWI="}"#, None),
    ] {
        let content = format!(r#"{{"auths": {{"r": {entry}}}, "HttpHeaders": {{}}}}"#);
        assert_eq!(in_file(&content, "r", "x").await, expected, "{entry}");
    }
    for content in ["", "[]", "nonsense", r#"{"auths": 1}"#] {
        assert_eq!(in_file(content, "r", "x").await, None, "{content}");
    }
}

#[tokio::test]
async fn what_is_null_in_a_file_is_empty() {
    for text in [
        r#"{"auths": null, "credHelpers": null, "credsStore": null}"#,
        r#"{"auths": {"other": null}, "credHelpers": {"other": null}}"#,
    ] {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("config.json");
        fs::write(&path, text).expect("written");
        Config::parse(&path).expect(text);
    }
    let beside = r#"{"credHelpers": null, "auths": {"other": null, "r": {"auth": "dTpz"}}}"#;
    assert_eq!(in_file(beside, "r", "x").await, Some(password("u", "s")));
}

#[tokio::test]
async fn names_of_registries_in_files() {
    let of = |key: &str| format!(r#"{{"auths": {{"{key}": {{"auth": "YTpi"}}}}}}"#);
    for (key, registry, repository) in [
        (
            "https://index.docker.io/v1/",
            "registry-1.docker.io",
            "library/x",
        ),
        ("docker.io", "registry-1.docker.io", "a/b"),
        ("https://ghcr.io", "ghcr.io", "a/b"),
        ("https://ghcr.io/v2/", "ghcr.io", "a/b"),
        ("r:5000", "r:5000", "a"),
        ("quay.io/a", "quay.io", "a/b/c"),
        ("quay.io/a/b", "quay.io", "a/b"),
    ] {
        let found = in_file(&of(key), registry, repository).await;
        assert_eq!(found, Some(password("a", "b")), "{key}");
    }
    for (key, registry, repository) in [
        ("r", "r:5000", "a"),
        ("r:5000", "r", "a"),
        ("quay.io/a", "quay.io", "b"),
        ("quay.io/a", "quay.io", "ab"),
        ("evil-ghcr.io", "ghcr.io", "a"),
    ] {
        assert_eq!(in_file(&of(key), registry, repository).await, None, "{key}");
    }
    // The longest matching key wins: `Yzpk` is `c:d`.
    let both = r#"{"auths": {"q": {"auth": "YTpi"}, "q/a": {"auth": "Yzpk"}}}"#;
    assert_eq!(in_file(both, "q", "a/x").await, Some(password("c", "d")));
    assert_eq!(in_file(both, "q", "b/x").await, Some(password("a", "b")));
}

#[test]
fn places_of_the_files() {
    let options = |variables: &[(&str, &str)]| {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(OsString::from);
        CredentialOptions::from_variables(variable, Some("/home/u".into()))
    };
    let files = |variables| options(variables).config_files;
    assert_eq!(
        files(&[]),
        [
            "/home/u/.docker/config.json",
            "/home/u/.config/containers/auth.json"
        ]
        .map(PathBuf::from)
    );
    assert_eq!(
        files(&[
            ("DOCKER_CONFIG", "/d"),
            ("XDG_RUNTIME_DIR", "/run/u"),
            ("XDG_CONFIG_HOME", "/c")
        ]),
        [
            "/d/config.json",
            "/run/u/containers/auth.json",
            "/c/containers/auth.json"
        ]
        .map(PathBuf::from)
    );
    assert_eq!(
        files(&[
            ("DOCKER_CONFIG", ""),
            ("REGISTRY_AUTH_FILE", "/a.json"),
            ("XDG_RUNTIME_DIR", "/x")
        ]),
        ["/home/u/.docker/config.json", "/a.json"].map(PathBuf::from)
    );
    assert!(
        options(&[("WASSETTE_REGISTRY_AUTH", "r:u:s")])
            .registry_auth
            .is_some()
    );
}
