//! A bit flips in a file of any kind: the file is repaired, moved to quarantine or reported, and
//! nothing else is lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, Ended};
use crate::support::components::binary;
use crate::support::faults::{Faults, Honest};
use crate::support::wat::versioned;

/// Number of flipped positions in each file, evenly spread over its length.
const PLACES: usize = 12;

/// The outcomes for a file with a flipped bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The flip is not reported, and the component answers.
    Mended,
    /// `cache verify` reports it, and the component answers.
    Told,
    /// The component is moved to quarantine.
    SetAside,
    /// It is refused with a message that names it, or its content is still valid and applies.
    Refused,
}

struct Root {
    cli: Cli,
    template: PathBuf,
}

impl Root {
    /// Creates a root with `tool`, whose files are flipped, and `other`, whose files are not. Both
    /// are in their second version, with a granted host and a secret.
    fn new(registry: &Faults, content: &std::sync::Mutex<Honest>) -> Self {
        let cli = Cli::new();
        for id in ["tool", "other"] {
            for version in [1, 2] {
                let wasm = binary(&versioned(id, version));
                *content.lock().unwrap() = Honest::new(&Artifact::new(&[(WASM, &wasm)]));
                cli.json(["load", "--uri", &registry.reference(&format!("{id}:v1"))]);
            }
            cli.json(["permission", "grant", "network", id, "a.example"]);
            assert_eq!(cli.run(["secret", "set", id, "KEY=value"]).code, 0);
        }
        fs::write(
            cli.root().join("config.toml"),
            "[limits]\ncall_timeout = 30\n",
        )
        .unwrap();
        let login = cli.root().join("auth.json");
        fs::write(&login, r#"{"auths": {"r.example": {"auth": "YTpi"}}}"#).unwrap();
        fs::set_permissions(&login, Permissions::from_mode(0o600)).unwrap();
        let template = cli.root().with_file_name("template");
        copy(&cli.root(), &template);
        Root { cli, template }
    }

    fn restore(&self) {
        fs::remove_dir_all(self.cli.root()).unwrap();
        copy(&self.template, &self.cli.root());
    }

    fn run(&self, args: &[&str], what: &str) -> Ended {
        let ended = self.cli.run(args);
        assert!(
            (0..=5).contains(&ended.code) && !ended.stderr.contains("panicked"),
            "{what}: {args:?} ended with {}: {}",
            ended.code,
            ended.stderr
        );
        ended
    }

    fn sound(&self, id: &str, what: &str) {
        let answer = self.run(&["call", id], what);
        assert_eq!(
            (answer.code, answer.stdout.trim()),
            (0, "2"),
            "{what}: {}",
            answer.stderr
        );
    }

    /// Flips bits of one file, one after the other, and checks the outcome of each.
    fn flip(&self, file: &str, fates: &[Fate], look: &[&str]) {
        let length = fs::metadata(self.template.join(file)).unwrap().len() as usize;
        let step = (length / PLACES).max(1);
        for (at, bit) in (0..length).step_by(step).zip((0..8).cycle()) {
            self.restore();
            let path = self.cli.root().join(file);
            let mut bytes = fs::read(&path).unwrap();
            bytes[at] ^= 1 << bit;
            fs::write(&path, bytes).unwrap();
            let what = format!("bit {bit} of byte {at} of {file}");
            let fate = self.fate(look, &what);
            assert!(fates.contains(&fate), "{what}: {fate:?}");
            // In any case the other component is unchanged.
            if !file.ends_with("config.toml") {
                self.sound("other", &what);
            }
            let kept = |path: &str| fs::read(self.cli.root().join(path)).unwrap();
            let secrets = kept("secrets/other.json");
            assert_eq!(
                secrets,
                fs::read(self.template.join("secrets/other.json")).unwrap()
            );
            assert!(kept("components/other/other.policy.yaml").ends_with(b"a.example\n"));
        }
    }

    fn fate(&self, look: &[&str], what: &str) -> Fate {
        let looked = self.run(look, what);
        if looked.code != 0 {
            assert!(
                looked.stderr.contains("error: "),
                "{what}: {}",
                looked.stderr
            );
            return Fate::Refused;
        }
        let verified = self.run(&["cache", "verify", "tool", "-o", "json"], what);
        let repaired = self.run(&["cache", "verify", "--repair", "-o", "json"], what);
        let listed: Value = self.cli.json(["list"])["components"].clone();
        let is_there = |one: &Value| one["id"] == "tool" && one["status"] == "ok";
        if !listed.as_array().unwrap().iter().any(is_there) {
            assert!(self.cli.root().join("quarantine").is_dir(), "{what}");
            return Fate::SetAside;
        }
        self.sound("tool", what);
        match (verified.code, repaired.code) {
            (0, 0) => Fate::Mended,
            _ => Fate::Told,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_mended_told_of_or_set_aside_and_costs_nothing_else() {
    let content = std::sync::Arc::new(std::sync::Mutex::new(Honest::new(&Artifact::new(&[]))));
    let served = content.clone();
    let registry = Faults::start(move |seen| served.lock().unwrap().answer(seen)).await;
    let flips = move || {
        use Fate::{Mended, Refused, SetAside, Told};
        let root = Root::new(&registry, &content);
        let list: &[&str] = &["cache", "list"];
        root.flip("components/tool/tool.wasm", &[SetAside], list);
        root.flip("components/tool/tool.metadata.json", &[Mended], &["list"]);
        root.flip("components/tool/tool.metadata.copy.json", &[Told], list);
        root.flip("components/tool/tool.cwasm", &[Told, Mended], list);
        // A bit flipped within a name makes it another name, so the grant is for that one.
        let policy: &[&str] = &["policy", "get", "tool"];
        root.flip(
            "components/tool/tool.policy.yaml",
            &[Refused, Mended],
            policy,
        );
        let record = "components/tool/tool.policy.meta.json";
        root.flip(record, &[Told, Mended], policy);
        let secrets: &[&str] = &["secret", "list", "tool"];
        root.flip("secrets/tool.json", &[Refused, Mended], secrets);
        root.flip("config.toml", &[Refused, Mended], list);
        root.flip("auth.json", &[Refused, Mended], &["doctor"]);
        let back: &[&str] = &["rollback", "tool"];
        root.flip("previous/tool/tool.wasm", &[Refused], back);
        for kept in fs::read_dir(root.template.join("components/tool")).unwrap() {
            let name = kept.unwrap().file_name().into_string().unwrap();
            if name.contains(".blob-") {
                root.flip(&format!("components/tool/{name}"), &[Told], list);
            }
        }
        assert_eq!(
            root.cli.json(["list"])["components"][1]["id"],
            json!("other")
        );
    };
    tokio::task::spawn_blocking(flips).await.unwrap();
}
