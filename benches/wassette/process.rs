//! Measures whole processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub fn in_new_directory<T>(work: impl FnOnce(&Path) -> T) -> T {
    let directory = tempfile::tempdir().expect("a directory");
    work(directory.path())
}

pub fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs: apt-get install curl skopeo")
}

pub fn succeed(mut child: Child) {
    assert!(child.wait().expect("an end").success());
}

/// Runs processes at the same time, and returns the sum of their peak memory.
pub fn peak_mib(commands: &mut [Command]) -> f64 {
    let mut running: Vec<(Child, f64)> = commands.iter_mut().map(|c| (start(c), 0.0)).collect();
    let mut sum = 0.0;
    while !running.is_empty() {
        running.retain_mut(|(child, peak)| {
            let ended = child.try_wait().expect("an end");
            if let Some(status) = ended {
                assert!(status.success());
                sum += *peak;
                return false;
            }
            *peak = crate::report::peak_mib(child.id()).max(*peak);
            true
        });
        std::thread::sleep(Duration::from_millis(1));
    }
    sum
}
