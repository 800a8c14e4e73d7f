//! Pulls of 12 MB artifacts from a registry on this machine, against `skopeo
//! copy` of the same; a pull that is cut; a tag that has not moved.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::puller;
use crate::registry::{Door, Registry, component_of, numbered};
use crate::report::{median_ms, row, title};

const SIZE: usize = 12 * 1024 * 1024;
/// As many as Wassette downloads at once.
const TOGETHER: usize = 8;

pub fn run() {
    title("pulls of 12 MB from a registry on this machine");
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::start(dir.path());
    let wasm = component_of(SIZE);
    for number in 0..32 {
        registry.push(&repository(number), &numbered(&wasm, number));
    }
    for count in [1, 8, 32] {
        against_skopeo(&registry.address, count);
    }
    against_curl(&registry, &wasm);
    cut(&registry, wasm.len());
    unchanged(&registry.address);
}

fn repository(number: u8) -> String {
    format!("bench/big{number}")
}

fn reference(address: &str, number: u8) -> String {
    format!("{address}/{}:v1", repository(number))
}

fn against_skopeo(address: &str, count: u8) {
    let runs = if count == 1 { 15 } else { 7 };
    let skopeo = |out: &Path| {
        let all: Vec<u8> = (0..count).collect();
        for together in all.chunks(TOGETHER) {
            let copies: Vec<Child> = together
                .iter()
                .map(|number| start(&mut copy(address, *number, out)))
                .collect();
            copies.into_iter().for_each(succeed);
        }
    };
    let pull = |out: &Path| succeed(start(&mut pulling(address, count, out)));
    let theirs = median_ms(runs, || in_new_directory(skopeo));
    let ours = median_ms(runs, || in_new_directory(pull));
    row(&format!("{count} x `skopeo copy`"), theirs, "ms", None);
    let base = Some((theirs, "skopeo"));
    row(&format!("{count} pulled by Wassette"), ours, "ms", base);

    let theirs = in_new_directory(|out| peak_mib(&mut copy(address, 0, out)));
    let ours = in_new_directory(|out| peak_mib(&mut pulling(address, count, out)));
    row("  peak memory of one `skopeo copy`", theirs, "MiB", None);
    row(
        "  peak memory of Wassette",
        ours,
        "MiB",
        Some((theirs, "skopeo")),
    );
}

fn copy(address: &str, number: u8, out: &Path) -> Command {
    let mut command = Command::new("skopeo");
    command
        .args(["--insecure-policy", "copy", "--preserve-digests"])
        .arg("--src-tls-verify=false")
        .arg(format!("docker://{}", reference(address, number)))
        .arg(format!("oci:{}/{number}:v1", out.display()));
    command
}

fn pulling(address: &str, count: u8, out: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    let references = (0..count).map(|number| format!("oci://{}", reference(address, number)));
    command.env(puller::SWITCH, "1").arg(out).args(references);
    command
}

/// The verified description of one component, as a user asks for it.
fn against_curl(registry: &Registry, wasm: &[u8]) {
    let digest = wassette::digest::Digest::of(&numbered(wasm, 0));
    let blob = format!(
        "http://{}/v2/{}/blobs/{digest}",
        registry.address,
        repository(0)
    );
    let curl = median_ms(15, || {
        in_new_directory(|out| {
            let file = out.join("blob");
            succeed(start(
                Command::new("curl")
                    .args(["-sf", "-o"])
                    .arg(file)
                    .arg(&blob),
            ));
        });
    });
    row("curl of the blob", curl, "ms", None);
    let inspect = median_ms(15, || {
        in_new_directory(|root| {
            let reference = format!("oci://{}", reference(&registry.address, 0));
            wassette(root, &["inspect", &reference]);
        });
    });
    let base = Some((curl, "curl"));
    row(
        "`wassette inspect`: and verified, described",
        inspect,
        "ms",
        base,
    );
}

/// The connection breaks after nine tenths of the component.
fn cut(registry: &Registry, size: usize) {
    let door = Door::before(registry, size as u64 * 9 / 10);
    in_new_directory(|out| succeed(start(&mut pulling(&door.address, 1, out))));
    let again = door.after() as f64 / size as f64 * 100.0;
    row("on the wire after a cut at 90 %", again, "%", None);
}

fn unchanged(address: &str) {
    let reference = format!("oci://{}", reference(address, 0));
    let curl = median_ms(15, || {
        let url = format!("http://{address}/v2/{}/manifests/v1", repository(0));
        let accept = "Accept: application/vnd.oci.image.manifest.v1+json";
        succeed(start(
            Command::new("curl").args(["-sfI", "-H", accept, &url]),
        ));
    });
    in_new_directory(|root| {
        let load = ["load", "--uri", &reference];
        wassette(root, &load);
        let mut requests = f64::NAN;
        let again = median_ms(15, || {
            let outcome = wassette(root, &load);
            requests = outcome["receipt"]["requests"].as_f64().unwrap_or(f64::NAN);
        });
        row("curl: HEAD of the manifest", curl, "ms", None);
        let base = Some((curl, "curl"));
        row("`wassette load` of an unchanged tag", again, "ms", base);
        row("  requests", requests, "", None);
    });
}

fn wassette(root: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_wassette"))
        .args(arguments)
        .args(["-o", "json", "--root"])
        .arg(root)
        .output()
        .expect("wassette runs");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn in_new_directory<T>(work: impl FnOnce(&Path) -> T) -> T {
    let directory = tempfile::tempdir().expect("a directory");
    work(directory.path())
}

fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs: apt-get install curl skopeo")
}

fn succeed(mut child: Child) {
    assert!(child.wait().expect("an end").success());
}

/// The most memory a process had, looked at until it ends.
fn peak_mib(command: &mut Command) -> f64 {
    let mut child = start(command);
    let mut peak = 0.0;
    while child.try_wait().expect("an end").is_none() {
        peak = crate::report::peak_mib(child.id()).max(peak);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    succeed(child);
    peak
}
