//! Credentials on the command line, from every source, against a real registry with passwords.
//! None of them is ever shown.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary};
use crate::support::registry::Registry;
use crate::support::tokens::TokenServer;

const USER: &str = "alice";
const SECRET: &str = "s3cret-of-alice";

/// A registry that only alice may use, and the unprotected one behind it.
struct Guarded {
    registry: Registry,
    _open: Registry,
}

impl Guarded {
    async fn start() -> Self {
        let open = Registry::start();
        push(&open, "acme/answer").await;
        Guarded {
            registry: open.beside_with_login(USER, SECRET),
            _open: open,
        }
    }

    fn address(&self) -> &str {
        self.registry.address()
    }

    fn load(&self, cli: &Cli) -> Command {
        let mut command = cli.command();
        command
            .args(["load", "-vv", "--uri"])
            .arg(self.registry.reference("acme/answer:v1"));
        command
    }
}

async fn push(registry: &Registry, repository: &str) {
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    registry.push(repository, "v1", &artifact).await;
}

/// Runs a command with this standard input, and checks that it shows no secret.
fn end(command: &mut Command, stdin: &str) -> Ended {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // A command that reads nothing may have ended.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    let ended: Ended = child.wait_with_output().expect("an end").into();
    let base64 = STANDARD.encode(format!("{USER}:{SECRET}"));
    for secret in [SECRET, &base64, "wrong-s3cret"] {
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
        assert!(!ended.stdout.contains(secret), "{}", ended.stdout);
    }
    ended
}

fn succeeds(command: &mut Command, stdin: &str) -> String {
    let ended = end(command, stdin);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stderr
}

fn fails(command: &mut Command, stdin: &str) -> String {
    let ended = end(command, stdin);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    ended.stderr
}

/// Checks that no file of the root but that of `login` holds the secret.
fn nothing_tells(root: &Path) {
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name != "auth.json") {
                let bytes = fs::read(&path).expect("a file");
                let found = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn credentials_of_the_command() {
    let guarded = Guarded::start().await;
    let cli = Cli::new();
    let said = fails(&mut guarded.load(&cli), "");
    let login = format!("run `wassette login {}`", guarded.address());
    assert!(said.contains(&login), "{said}");

    let with_user = |cli: &Cli| {
        let mut command = guarded.load(cli);
        command.args(["--username", USER]);
        command
    };
    succeeds(
        with_user(&cli).arg("--password-stdin"),
        &format!("{SECRET}\n"),
    );
    nothing_tells(&cli.root());
    let cli = Cli::new();
    let said = succeeds(with_user(&cli).args(["--password", SECRET]), "");
    assert!(said.contains("use `--password-stdin`"), "{said}");
    let said = fails(
        with_user(&Cli::new()).arg("--password-stdin"),
        "wrong-s3cret",
    );
    assert!(
        said.contains("the credentials from the command line"),
        "{said}"
    );

    let mut inspect = cli.command();
    inspect
        .arg("inspect")
        .arg(guarded.registry.reference("acme/answer:v1"))
        .args(["--username", USER, "--password-stdin"]);
    succeeds(&mut inspect, SECRET);
    // There is no one to ask.
    let ended = end(&mut with_user(&cli), "");
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("There is no password for `alice`"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn credentials_of_the_environment() {
    let guarded = Guarded::start().await;
    let value = format!("ghcr.io:token:x,{}:{USER}:{SECRET}", guarded.address());
    let cli = Cli::new();
    succeeds(guarded.load(&cli).env("WASSETTE_REGISTRY_AUTH", value), "");
    nothing_tells(&cli.root());
    let broken = format!("{SECRET},{}:{USER}:wrong-s3cret", guarded.address());
    let said = fails(
        guarded
            .load(&Cli::new())
            .env("WASSETTE_REGISTRY_AUTH", broken),
        "",
    );
    assert!(said.contains("entry 1 of WASSETTE_REGISTRY_AUTH"), "{said}");
}

#[tokio::test]
async fn login_checks_stores_and_forgets() {
    let guarded = Guarded::start().await;
    let cli = Cli::new();
    let login = |cli: &Cli| {
        let mut command = cli.command();
        command.args(["login", guarded.address(), "--debug", "--username", USER]);
        command
    };
    let file = cli.root().join("auth.json");
    let said = fails(login(&cli).arg("--password-stdin"), "wrong-s3cret");
    assert!(said.contains("refused the credentials"), "{said}");
    assert!(!file.exists());

    let said = succeeds(login(&cli).arg("--password-stdin"), &format!("{SECRET}\n"));
    assert!(said.contains("DEBUG"), "{said}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    succeeds(&mut guarded.load(&cli), "");
    nothing_tells(&cli.root());

    let logout = || cli.json(["logout", guarded.address()]);
    let registry = guarded.address();
    assert_eq!(logout(), json!({"registry": registry, "status": "removed"}));
    assert_eq!(
        logout(),
        json!({"registry": registry, "status": "not-logged-in"})
    );
    fails(&mut guarded.load(&cli), "");
    assert_eq!(cli.run(["logout", "user:pass@host"]).code, 2);
}

// The token server runs beside the program.
#[tokio::test(flavor = "multi_thread")]
async fn logins_by_token_and_to_open_registries() {
    let open = Registry::start();
    push(&open, "private/answer").await;
    let tokens = TokenServer::start().await;
    let registry = open.beside(&tokens.registry_config());
    let cli = Cli::new();
    let login = |address: &str| {
        let mut command = cli.command();
        command.args(["login", address, "-vv", "-o", "json", "--username", USER]);
        command.arg("--password-stdin");
        command
    };
    fails(&mut login(registry.address()), "wrong-s3cret");
    let ended = end(&mut login(registry.address()), SECRET);
    assert!(
        ended.stdout.contains("\"checked\": true"),
        "{}",
        ended.stderr
    );
    let mut load = cli.command();
    load.args(["load", "-vv", "--uri"])
        .arg(registry.reference("private/answer:v1"));
    succeeds(&mut load, "");

    let ended = end(&mut login(open.address()), SECRET);
    assert!(
        ended.stdout.contains("\"checked\": false"),
        "{}",
        ended.stderr
    );
    let address = open.address().to_owned();
    drop(open);
    let said = fails(&mut login(&address), SECRET);
    assert!(said.contains("Failed to log in"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_of_what_is_open_to_all_are_warned_of() {
    let open = Registry::start();
    push(&open, "public/answer").await;
    let tokens = TokenServer::start().await;
    let registry = open.beside(&tokens.registry_config());
    let cli = Cli::new();
    let mut load = cli.command();
    load.args(["load", "--uri", &registry.reference("public/answer:v1")])
        .args(["--username", USER, "--password-stdin"]);
    let said = succeeds(&mut load, "wrong-s3cret");
    let refused = "refused the credentials from the command line; going on without";
    assert!(said.contains(refused), "{said}");
}

#[tokio::test]
async fn files_of_docker_and_podman() {
    let guarded = Guarded::start().await;
    let cli = Cli::new();
    let auth = STANDARD.encode(format!("{USER}:{SECRET}"));
    let content = json!({"auths": {guarded.address(): {"auth": auth}}}).to_string();
    let file = cli.file("config.json", content);
    let docker = file.parent().expect("a directory");
    succeeds(guarded.load(&cli).env("DOCKER_CONFIG", docker), "");
    succeeds(
        guarded.load(&Cli::new()).env("REGISTRY_AUTH_FILE", &file),
        "",
    );
    let other = Cli::new();
    let broken = other.file("config.json", format!("{{\"auths\": \"{SECRET}\"}}"));
    let broken = broken.parent().expect("a directory");
    let said = fails(guarded.load(&other).env("DOCKER_CONFIG", broken), "");
    assert!(said.contains("no credentials are read from"), "{said}");
}

/// A directory with a helper `docker-credential-test` that runs this script.
#[cfg(unix)]
fn helper(cli: &Cli, script: &str) -> String {
    let path = cli.file("docker-credential-test", "");
    crate::support::script::write(&path, script);
    let dir = path.parent().expect("a directory").display().to_string();
    format!("{dir}:{}", std::env::var("PATH").unwrap_or_default())
}

#[cfg(unix)]
#[tokio::test]
async fn credential_helpers() {
    let guarded = Guarded::start().await;
    let address = guarded.address();
    let answer = format!(
        r#"read -r server; [ "$1 $server" = "get {address}" ] || exit 3
        echo '{{"ServerURL": "x", "Username": "{USER}", "Secret": "{SECRET}"}}'"#
    );
    let configs = [
        json!({"credHelpers": {address: "test"}}),
        json!({"credsStore": "test"}),
        json!({"credHelpers": {address: "absent"}, "credsStore": "test"}),
    ];
    for config in configs {
        let cli = Cli::new();
        let path = helper(&cli, &answer);
        let file = cli.file("config.json", config.to_string());
        let mut load = guarded.load(&cli);
        load.env("PATH", &path)
            .env("DOCKER_CONFIG", file.parent().expect("a directory"));
        let said = succeeds(&mut load, "");
        let absent = said.contains("`docker-credential-absent` is not installed");
        assert_eq!(absent, config.to_string().contains("absent"), "{said}");
    }
    // A broken source is named in a warning, and the next one is used.
    let auth = STANDARD.encode(format!("{USER}:{SECRET}"));
    let config = json!({"credsStore": "test", "auths": {address: {"auth": auth}}});
    for (script, words) in [
        (format!("echo garbage {SECRET}"), "printed something other"),
        ("exit 7".into(), "exit status: 7"),
        ("yes".into(), "printed something other"),
        (
            "echo credentials not found in native keychain; exit 1".into(),
            "",
        ),
    ] {
        let cli = Cli::new();
        let path = helper(&cli, &script);
        let file = cli.file("config.json", config.to_string());
        let mut load = guarded.load(&cli);
        load.env("PATH", &path)
            .env("DOCKER_CONFIG", file.parent().expect("a directory"));
        let said = succeeds(&mut load, "");
        assert!(said.contains(words), "{script}: {said}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_helper_that_hangs_is_passed_over() {
    let guarded = Guarded::start().await;
    let auth = STANDARD.encode(format!("{USER}:{SECRET}"));
    let config = json!({"credsStore": "test", "auths": {guarded.address(): {"auth": auth}}});
    let cli = Cli::new();
    fs::create_dir_all(cli.root()).expect("a directory");
    let limit = "[registry]\nhelper_timeout = 1\n";
    fs::write(cli.root().join("config.toml"), limit).expect("written");
    let path = helper(&cli, "sleep 600");
    let file = cli.file("config.json", config.to_string());
    let mut load = guarded.load(&cli);
    load.env("PATH", &path)
        .env("DOCKER_CONFIG", file.parent().expect("a directory"));
    let said = succeeds(&mut load, "");
    assert!(said.contains("did not answer within 1 s"), "{said}");
}
