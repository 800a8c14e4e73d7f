//! Applies a manifest of twenty components, compared with loading them one by one, and searches a
//! large catalog.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use wassette::catalog::{Catalog, Match};

use crate::components::padded;
use crate::registry::{Registry, delayed};
use crate::report::{median_ms, row, title};

const COMPONENTS: usize = 20;
const MEBIBYTE: usize = 1024 * 1024;
const DELAY: Duration = Duration::from_millis(50);
const ENTRIES: usize = 10_000;

pub fn run() {
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::start(dir.path());
    for n in 0..COMPONENTS {
        // From 1 to 12 MB.
        let size = (1 + n * 11 / (COMPONENTS - 1)) * MEBIBYTE;
        registry.push(&repository(n), &padded(&format!("tool-{n}"), size));
    }
    let far = delayed(&registry.address, DELAY);
    for (address, title) in [
        (
            &registry.address,
            "20 components of 1 to 12 MB, from a registry on this machine",
        ),
        (&far, "the same, with 50 ms of delay for every request"),
    ] {
        provision(address, title);
    }
    search();
}

fn repository(n: usize) -> String {
    format!("bench/tool-{n}")
}

fn provision(address: &str, text: &str) {
    title(text);
    let skopeo = median_ms(3, || {
        let out = tempfile::tempdir().expect("a directory");
        for n in 0..COMPONENTS {
            let mut copy = Command::new("skopeo");
            copy.args(["--insecure-policy", "copy", "--preserve-digests"])
                .arg("--src-tls-verify=false")
                .arg(format!("docker://{address}/{}:v1", repository(n)))
                .arg(format!("oci:{}/{n}:v1", out.path().display()));
            succeed(&mut copy);
        }
    });
    row("20 times `skopeo copy`", skopeo, "ms", None);
    let base = Some((skopeo, "skopeo"));
    let loads = median_ms(3, || {
        let root = tempfile::tempdir().expect("a directory");
        for n in 0..COMPONENTS {
            let reference = format!("oci://{address}/{}:v1", repository(n));
            wassette(root.path(), &["load", &reference]);
        }
    });
    row("20 times `wassette load`", loads, "ms", base);
    let entries = (0..COMPONENTS).map(|n| {
        format!(
            "- {{uri: 'oci://{address}/{}:v1', permissions: {{}}}}\n",
            repository(n)
        )
    });
    let manifest = format!("version: 1\ncomponents:\n{}", entries.collect::<String>());
    let files = tempfile::tempdir().expect("a directory");
    let file = files.path().join("fleet.yaml");
    std::fs::write(&file, manifest).expect("writable");
    let file = file.to_str().expect("a name in Unicode");
    let apply = median_ms(3, || {
        // Each run has a new root and no lock.
        let _ = std::fs::remove_file(files.path().join("wassette.lock"));
        let root = tempfile::tempdir().expect("a directory");
        wassette(root.path(), &["apply", "-f", file]);
    });
    row("`wassette apply`", apply, "ms", base);
    let root = tempfile::tempdir().expect("a directory");
    wassette(root.path(), &["apply", "-f", file]);
    let again = median_ms(15, || wassette(root.path(), &["apply", "-f", file]));
    row("`wassette apply` with nothing to do", again, "ms", None);
}

/// Searches within this process, like a server.
fn search() {
    title("a search over 10,000 entries");
    let words = [
        "weather", "calendar", "files", "github", "memory", "search", "time",
    ];
    let word = |n: usize| words[n % words.len()];
    let entries = (0..ENTRIES).map(|n| {
        json!({
            "name": format!("{}-{n}", word(n)),
            "description": format!("{} for {} and {}", word(n / 3), word(n / 7), word(n / 11)),
            "uri": format!("oci://registry.example/{}/{n}:latest", word(n / 5)),
        })
    });
    let document = json!(entries.collect::<Vec<_>>()).to_string();
    let catalog = Catalog::parse(&document).expect("a catalog");
    for (what, terms) in [
        ("one term", &["weather"][..]),
        ("two terms", &["weather", "calendar"]),
        ("a slip of the pen", &["wether"]),
    ] {
        let mut found = 0;
        let time = median_ms(51, || found = catalog.search(terms, Match::Ranked).len());
        assert!(found > 0, "{what}");
        row(what, time, "ms", None);
    }
}

fn wassette(root: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wassette"));
    succeed(command.args(arguments).arg("--root").arg(root));
}

fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("it runs: apt-get install skopeo");
    assert!(output.status.success(), "{output:?}");
}
