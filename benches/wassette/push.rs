//! Pushes to a registry on this machine, against `skopeo copy` and curl.

use std::cell::Cell;
use std::path::Path;
use std::process::Command;

use crate::components::padded;
use crate::process::{peak_mib, start, succeed};
use crate::pusher;
use crate::registry::{Registry, component_of, write_layout};
use crate::report::{median_ms, row, title};

pub fn run() {
    title("pushes to a registry on this machine");
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::start(dir.path());
    let mebi = 1024 * 1024;
    against_others(&registry, "12 MB", &component_of(12 * mebi), 11);
    against_others(&registry, "200 MB", &padded("large", 200 * mebi), 5);
}

fn against_others(registry: &Registry, size: &str, wasm: &[u8], runs: usize) {
    let layout = tempfile::tempdir().expect("a directory");
    let layout = layout.path();
    let layer = write_layout(layout, wasm);
    // Existing blobs are not sent again, so each push uses another repository.
    let pushes = Cell::new(0);
    let new_repository = || {
        pushes.set(pushes.get() + 1);
        format!(
            "bench/{}/{}",
            size.replace(' ', "").to_lowercase(),
            pushes.get()
        )
    };
    let curl = median_ms(runs, || {
        with_curl(registry, layout, &layer, &new_repository())
    });
    let (mut their_peak, mut our_peak) = (0.0_f64, 0.0_f64);
    let theirs = median_ms(runs, || {
        let copy = registry.copy_of(layout, &new_repository());
        their_peak = their_peak.max(peak_mib(&mut [copy]));
    });
    let ours = median_ms(runs, || {
        let push = pushing(registry, layout, &new_repository());
        our_peak = our_peak.max(peak_mib(&mut [push]));
    });
    row(&format!("{size}: curl of the blob alone"), curl, "ms", None);
    let base = Some((curl, "curl"));
    row(&format!("{size}: `skopeo copy`"), theirs, "ms", base);
    let base = Some((theirs, "skopeo"));
    row(&format!("{size}: Wassette"), ours, "ms", base);
    row("  peak memory of `skopeo copy`", their_peak, "MiB", None);
    let base = Some((their_peak, "skopeo"));
    row("  peak memory of Wassette", our_peak, "MiB", base);
    again(registry, layout, size);
}

/// Pushes content that exists already.
fn again(registry: &Registry, layout: &Path, size: &str) {
    let repository = "bench/again";
    let theirs = median_ms(5, || {
        succeed(start(&mut registry.copy_of(layout, repository)))
    });
    let mut requests = f64::NAN;
    let ours = median_ms(5, || {
        let output = pushing(registry, layout, repository)
            .output()
            .expect("an end");
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8_lossy(&output.stdout);
        requests = printed.trim().parse().expect("a number");
    });
    row(
        &format!("{size}, there already: `skopeo copy`"),
        theirs,
        "ms",
        None,
    );
    let base = Some((theirs, "skopeo"));
    row(
        &format!("{size}, there already: Wassette"),
        ours,
        "ms",
        base,
    );
    row("  requests", requests, "", None);
}

fn pushing(registry: &Registry, layout: &Path, repository: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command
        .env(pusher::SWITCH, "1")
        .arg(layout)
        .arg(format!("oci://{}/{repository}:v1", registry.address));
    command
}

fn with_curl(registry: &Registry, layout: &Path, layer: &str, repository: &str) {
    let base = format!("http://{}/v2/{repository}/blobs/uploads/", registry.address);
    let begun = Command::new("curl")
        .args([
            "-sf",
            "-X",
            "POST",
            "-o",
            "/dev/null",
            "-w",
            "%header{location}",
            &base,
        ])
        .output()
        .expect("curl runs: apt-get install curl");
    assert!(begun.status.success(), "{begun:?}");
    let location = String::from_utf8_lossy(&begun.stdout).into_owned();
    let joint = if location.contains('?') { "&" } else { "?" };
    let (_, hex) = layer.split_once(':').expect("a digest");
    succeed(start(
        Command::new("curl")
            .args(["-sf", "-H", "Content-Type: application/octet-stream", "-T"])
            .arg(layout.join("blobs/sha256").join(hex))
            .arg(format!("{location}{joint}digest={layer}")),
    ));
}
