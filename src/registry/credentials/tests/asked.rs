//! The order in which sources are asked for credentials: the login file, other files, and helpers.

use super::*;

const LIMIT: Duration = Duration::from_secs(60);

async fn store(
    login: &LoginFile,
    registry: &str,
    (username, secret): (&str, &str),
) -> Result<(), LoginFileError> {
    let secret = secret.into();
    let user = Login {
        username,
        secret: &secret,
    };
    login.store(registry, &Place::File, user).await
}

#[tokio::test]
async fn sources_are_asked_in_order() {
    let dir = TempDir::new().expect("a directory");
    let config = dir.path().join("config.json");
    fs::write(&config, r#"{"auths": {"r": {"auth": "ZG9ja2VyOnM="}}}"#).expect("written");
    let login = LoginFile::of_root(dir.path());
    store(&login, "r", ("login", "s")).await.expect("stored");
    let mut options = CredentialOptions {
        given: Some(Given {
            registry: "r".into(),
            credential: password("given", "s"),
        }),
        registry_auth: Some("r:variable:s".into()),
        login_file: Some(login.clone()),
        config_files: vec![dir.path().join("absent"), config],
        ..CredentialOptions::default()
    };
    let find = async |options: &CredentialOptions, registry| {
        let credentials = Credentials::new(options.clone());
        let found = credentials.find(wanted(registry, "x")).await;
        found.map(|found| found.credential)
    };
    assert_eq!(find(&options, "other").await, None);
    assert_eq!(find(&options, "r").await, Some(password("given", "s")));
    options.given = None;
    assert_eq!(find(&options, "r").await, Some(password("variable", "s")));
    options.registry_auth = None;
    assert_eq!(find(&options, "r").await, Some(password("login", "s")));
    assert_eq!(
        login.remove("r", LIMIT).await.expect("removed"),
        Removed::Yes
    );
    assert_eq!(find(&options, "r").await, Some(password("docker", "s")));
}

#[tokio::test]
async fn the_login_file_is_private_and_whole() {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().join("new/root");
    let login = LoginFile::of_root(&root);
    assert_eq!(
        login.remove("r", LIMIT).await.expect("nothing"),
        Removed::NothingThere
    );
    assert!(!root.exists());
    store(&login, "r", ("u", "s:p")).await.expect("stored");
    store(&login, "index.docker.io", ("h", "t"))
        .await
        .expect("stored");
    store(&login, "r", ("u2", "s2")).await.expect("stored");
    assert_eq!(
        login.find(wanted("r", "x"), LIMIT).await,
        Some(password("u2", "s2"))
    );
    assert_eq!(
        login.find(wanted("docker.io", "x"), LIMIT).await,
        Some(password("h", "t"))
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = fs::metadata(login.path()).expect("a file").mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(
        login.remove("s", LIMIT).await.expect("nothing"),
        Removed::NothingThere
    );
    // A damaged file is not overwritten.
    fs::write(login.path(), "damaged").expect("written");
    store(&login, "r", ("u", "s")).await.expect_err("damaged");
    assert_eq!(fs::read_to_string(login.path()).expect("read"), "damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_at_once_are_all_kept() {
    let dir = TempDir::new().expect("a directory");
    let login = LoginFile::of_root(dir.path());
    let mut stores = tokio::task::JoinSet::new();
    for n in 0..16 {
        let login = login.clone();
        stores.spawn(async move { store(&login, &format!("r{n}"), ("u", "s")).await });
    }
    let stored = stores.join_all().await;
    assert!(stored.iter().all(Result::is_ok), "{stored:?}");
    for n in 0..16 {
        assert!(
            login
                .find(wanted(&format!("r{n}"), "x"), LIMIT)
                .await
                .is_some(),
            "{n}"
        );
    }
}

#[test]
fn what_helpers_print() {
    assert_eq!(
        helper::parse(br#"{"ServerURL": "r", "Username": "u", "Secret": "s"}"#),
        Some(password("u", "s"))
    );
    assert_eq!(
        helper::parse(br#"{"Username": "<token>", "Secret": "s"}"#),
        Some(Credential::IdentityToken("s".into()))
    );
    for garbage in [
        "",
        "{}",
        "null",
        "\u{1b}[31m",
        r#"{"Username": "u", "Secret": ""}"#,
    ] {
        assert_eq!(helper::parse(garbage.as_bytes()), None, "{garbage}");
    }
    let huge = format!(
        r#"{{"Username": "u", "Secret": "{}"}}"#,
        "s".repeat(300_000)
    );
    assert_eq!(helper::parse(huge.as_bytes()), None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_helper_that_hangs_is_killed_with_its_children() {
    let dir = TempDir::new().expect("a directory");
    let (script, pid) = (dir.path().join("helper"), dir.path().join("pid"));
    let text = format!("sleep 600 &\necho $! > {}\nwait", pid.display());
    write_script(&script, &text);
    let program = script.display().to_string();
    // A busy machine may need longer than that to start it.
    for limit in [1, 10, 60].map(Duration::from_secs) {
        let error = helper::ask_program(program.clone(), "r", limit).await;
        let error = error.expect_err("a timeout").to_string();
        let told = format!("did not answer within {} s", limit.as_secs());
        assert!(error.ends_with(&told), "{error}");
        if fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n')) {
            break;
        }
    }
    let child = fs::read_to_string(pid).expect("the child started");
    // Dead, or a zombie that only the system has to reap.
    let status = std::path::Path::new("/proc")
        .join(child.trim())
        .join("stat");
    let ended = async {
        while fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    ended.expect("the child ends");
}

/// Another process writes the script: a child that another test starts would
/// share this process's open file until it executes its program, and a file that
/// is open for writing cannot be executed.
#[cfg(unix)]
fn write_script(path: &std::path::Path, text: &str) {
    let written = std::process::Command::new("sh")
        .args([
            "-c",
            r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#,
        ])
        .args([path.as_os_str(), text.as_ref()])
        .status();
    assert!(written.expect("`sh`").success());
}

#[tokio::test]
async fn helpers_that_bring_nothing() {
    let ask = |name| {
        helper::ask(helper::Asked {
            name,
            server: "r".into(),
            limit: LIMIT,
        })
    };
    let missing = ask("wassette-test-of-nothing").await.expect_err("missing");
    assert!(
        missing.to_string().ends_with("is not installed"),
        "{missing}"
    );
    for name in ["../../../bin/sh", "a b", "x/y"] {
        let error = ask(name).await.expect_err(name);
        assert!(error.to_string().contains("not the name"), "{error}");
    }
}
