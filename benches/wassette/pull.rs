//! Pulls from a local registry compared with `skopeo copy`; an interrupted pull; a load of an
//! unchanged tag.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::components::padded;
use crate::process::{in_new_directory, peak_mib, start, succeed};
use crate::puller;
use crate::registry::{Door, Registry, component_of, numbered};
use crate::report::{median_ms, row, title};

const SIZE: usize = 12 * 1024 * 1024;
/// Below the default limit on the size of a component.
const LARGE_SIZE: usize = 200 * 1024 * 1024;
/// The number of the large artifact.
const LARGE: u8 = 32;
/// Wassette's number of concurrent downloads.
const TOGETHER: usize = 8;

pub fn run() {
    title("pulls from a registry on this machine");
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::start(dir.path());
    let wasm = component_of(SIZE);
    for number in 0..32 {
        registry.push(&repository(number), &numbered(&wasm, number));
    }
    registry.push(&repository(LARGE), &padded("large", LARGE_SIZE));
    for count in [1, 8, 32] {
        let all: Vec<u8> = (0..count).collect();
        against_skopeo(&registry.address, &format!("{count} of 12 MB"), &all);
    }
    against_skopeo(&registry.address, "1 of 200 MB", &[LARGE]);
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

fn against_skopeo(address: &str, what: &str, numbers: &[u8]) {
    let runs = if numbers.len() == 1 { 11 } else { 7 };
    let skopeo = |out: &Path| {
        numbers
            .chunks(TOGETHER)
            .map(|together| peak_mib(&mut copies(address, together, out)))
            .fold(0.0, f64::max)
    };
    let pull = |out: &Path| peak_mib(&mut [pulling(address, numbers, out)]);
    let (mut their_peak, mut our_peak) = (0.0_f64, 0.0_f64);
    let theirs = median_ms(runs, || {
        their_peak = their_peak.max(in_new_directory(skopeo));
    });
    let ours = median_ms(runs, || our_peak = our_peak.max(in_new_directory(pull)));
    row(&format!("{what}: `skopeo copy`"), theirs, "ms", None);
    let base = Some((theirs, "skopeo"));
    row(&format!("{what}: Wassette"), ours, "ms", base);
    row("  peak memory of `skopeo copy`", their_peak, "MiB", None);
    let base = Some((their_peak, "skopeo"));
    row("  peak memory of Wassette", our_peak, "MiB", base);
}

fn copies(address: &str, numbers: &[u8], out: &Path) -> Vec<Command> {
    let numbers = numbers.iter();
    numbers.map(|number| copy(address, *number, out)).collect()
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

fn pulling(address: &str, numbers: &[u8], out: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    let references = numbers
        .iter()
        .map(|number| format!("oci://{}", reference(address, *number)));
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
    in_new_directory(|out| succeed(start(&mut pulling(&door.address, &[0], out))));
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
