//! Logins in the operating system's keyring: a helper that speaks Docker's
//! protocol, and helpers that do not work.
#![cfg(unix)]

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary};
use crate::support::registry::Registry;
use crate::support::script;

const USER: &str = "alice";
const SECRET: &str = "s3cret-of-alice";
#[cfg(target_os = "macos")]
const HELPER: &str = "docker-credential-osxkeychain";
#[cfg(not(target_os = "macos"))]
const HELPER: &str = "docker-credential-secretservice";

/// A helper that keeps one login in a file beside itself.
const WORKING: &str = r#"
entry="$(dirname "$0")/entry"
case "$1" in
list) echo '{}' ;;
store) cat > "$entry" ;;
get)
    server="$(cat)"
    if grep -qs "\"$server\"" "$entry"; then cat "$entry"; else
        echo 'credentials not found in native keychain'; exit 1
    fi ;;
erase) grep -qs "\"$(cat)\"" "$entry" && rm "$entry" ;;
*) exit 2 ;;
esac"#;

/// A user with this helper, and a registry that only alice may use.
struct Setting {
    cli: Cli,
    path: String,
    registry: Registry,
    _open: Registry,
}

impl Setting {
    async fn new(helper: &str) -> Self {
        let open = Registry::start();
        let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
        open.push("acme/answer", "v1", &artifact).await;
        let cli = Cli::new();
        let file = cli.file(HELPER, "");
        script::write(&file, helper);
        let beside = file.parent().expect("a directory").display();
        let rest = std::env::var("PATH").unwrap_or_default();
        Setting {
            path: format!("{beside}:{rest}"),
            registry: open.beside_with_login(USER, SECRET),
            _open: open,
            cli,
        }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command: Command = self.cli.command();
        command.env("PATH", &self.path).args(arguments);
        let ended: Ended = command.output().expect("it runs").into();
        assert!(!ended.stderr.contains(SECRET), "{}", ended.stderr);
        assert!(!ended.stdout.contains(SECRET), "{}", ended.stdout);
        ended
    }

    fn login(&self, more: &[&str]) -> Ended {
        let user = ["--username", USER, "--password", SECRET, "-o", "json"];
        self.run(&[&["login", self.registry.address()], &user[..], more].concat())
    }

    fn load(&self) -> Ended {
        self.run(&["load", "--uri", &self.registry.reference("acme/answer:v1")])
    }

    /// The content of `auth.json`.
    fn file(&self) -> Value {
        let text = fs::read(self.cli.root().join("auth.json")).expect("a file");
        serde_json::from_slice(&text).expect("JSON")
    }
}

fn told(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[tokio::test]
async fn a_login_goes_to_the_keyring() {
    let setting = Setting::new(WORKING).await;
    let address = setting.registry.address();
    let helper = HELPER.trim_start_matches("docker-credential-");
    assert_eq!(told(&setting.login(&[]))["keyring"], HELPER);
    let expected = json!({"auths": {}, "credHelpers": {address: helper}});
    assert_eq!(setting.file(), expected);
    let loaded = setting.load();
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);

    let logout = told(&setting.run(&["logout", address, "-o", "json"]));
    assert_eq!(logout["status"], "removed");
    let entry = setting.cli.file("marker", "").with_file_name("entry");
    assert!(!entry.exists());
    assert_eq!(setting.file(), json!({"auths": {}}));

    // The file, if requested: the later login applies.
    told(&setting.login(&["--store", "keyring"]));
    assert!(told(&setting.login(&["--store", "file"]))["keyring"].is_null());
    assert!(setting.file()["auths"][address]["auth"].is_string());
    assert!(setting.file()["credHelpers"].is_null());
    let loaded = setting.load();
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
}

#[tokio::test]
async fn a_keyring_that_does_not_work_is_not_used() {
    for helper in [
        "exit 1",
        // A helper that accepts everything and stores nothing.
        "[ \"$1\" = get ] && echo 'credentials not found in native keychain' && exit 1; exit 0",
        "[ \"$1\" = list ] && exit 0; exit 1",
        "sleep 100",
    ] {
        let setting = Setting::new(helper).await;
        assert!(told(&setting.login(&[]))["keyring"].is_null(), "{helper}");
        let address = setting.registry.address();
        assert!(setting.file()["auths"][address]["auth"].is_string());
        let loaded = setting.load();
        assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    }
    let setting = Setting::new("exit 1").await;
    let refused = setting.login(&["--store", "keyring"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("login-not-stored"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("--store file"),
        "{}",
        refused.stderr
    );
    assert!(!setting.cli.root().join("auth.json").exists());
}
