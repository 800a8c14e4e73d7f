//! Medians, and each row's ratio to a baseline of the same run.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::chart::{self, Group, Row};

/// What was printed, for the chart.
static GROUPS: Mutex<Vec<Group>> = Mutex::new(Vec::new());

pub fn title(text: &str) {
    println!("\n{text}");
    groups().push(Group {
        title: text.to_owned(),
        rows: Vec::new(),
    });
}

fn groups() -> MutexGuard<'static, Vec<Group>> {
    GROUPS.lock().expect("no row panics")
}

/// Draws what was printed: into the documentation, if all groups ran.
pub fn draw(wanted: &[String]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = if wanted.is_empty() { "docs" } else { "target" };
    let file = root.join(directory).join("benchmarks.svg");
    std::fs::write(&file, chart::draw(&groups())).expect("writable");
    println!("\nDrew {}.", file.display());
}

pub fn row(name: &str, value: f64, unit: &str, ratio: Option<(f64, &str)>) {
    // Without a name, it is the row before with another ratio.
    if let Some(group) = groups().last_mut().filter(|_| !name.is_empty()) {
        group.rows.push(Row {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            ratio: ratio.map(|(base, what)| (value / base, what.to_owned())),
        });
    }
    let ratio = ratio.map_or(String::new(), |(base, what)| {
        format!("{:>10.3} x {what}", value / base)
    });
    println!("  {name:<44} {value:>12.2} {unit:<8}{ratio}");
}

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The median time of `runs` runs, in milliseconds, after one warm-up run.
pub fn median_ms(runs: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            run();
            ms(started.elapsed())
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The peak memory of a running process, in MiB.
pub fn peak_mib(pid: u32) -> f64 {
    status(pid, "VmHWM:")
}

/// The present memory of a running process, in MiB.
pub fn resident_mib(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

fn status(pid: u32, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
