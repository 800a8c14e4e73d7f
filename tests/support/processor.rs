//! Measures CPU time, to tell whether a guest is running.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::wait::{block_until, until};

/// CPU time that proves that a guest is running.
const RUNNING: Duration = Duration::from_millis(100);
/// CPU time to burn: forty steps of the system's counter.
const BURNED: Duration = Duration::from_millis(400);

/// Returns the CPU time of a process, in steps of 10 ms.
pub fn of_process(pid: u32) -> Duration {
    of_stat(&Path::new("/proc").join(pid.to_string())).expect("a running process")
}

/// Whether every thread of a process waits for something.
pub fn is_asleep(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat"));
        // A thread that has ended counts as asleep.
        stat.map_or(true, |stat| stat.contains(") S "))
    })
}

/// Returns the CPU time of this process's threads with this name, of at most 15 bytes.
pub fn of_threads(name: &str) -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let named = threads.filter(|thread| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    named.filter_map(|thread| of_stat(&thread.path())).sum()
}

/// Waits until a guest that never ends is running, i.e. until `used` has grown since
/// `before`.
pub async fn until_running(before: Duration, used: impl Fn() -> Duration) {
    until("a guest runs", || used() >= before + RUNNING).await;
}

/// Waits until nothing is running any more: until `used` hardly grows while another
/// thread burns CPU time. A guest that was still running would get its share of the
/// processors, however many there are and whatever else they do.
#[track_caller]
pub fn until_idle(used: impl Fn() -> Duration) {
    block_until("nothing runs", || {
        let before = used();
        std::thread::spawn(burn).join().unwrap();
        used() - before < BURNED / 4
    });
}

fn burn() {
    let own = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let end = own() + BURNED;
    while own() < end {}
}

fn of_stat(process: &Path) -> Option<Duration> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // Fields 14 and 15, in hundredths of a second; the name in field 2 may contain
    // spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields = fields.split(' ').skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
    Some(Duration::from_millis(ticks * 10))
}
