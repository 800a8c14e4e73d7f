//! Processor time, to see whether a guest runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::wait::until;

/// How much a guest that runs has surely used.
const RUNNING: Duration = Duration::from_millis(100);
/// Twenty times what the system counts in.
const BURNED: Duration = Duration::from_millis(400);

/// What a process has used, in steps of 10 ms.
pub fn of_process(pid: u32) -> Duration {
    of_stat(&Path::new("/proc").join(pid.to_string())).expect("a running process")
}

/// What the threads of this process have used that have this name, of at most
/// 15 bytes.
pub fn of_threads(name: &str) -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let named = threads.filter(|thread| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    named.filter_map(|thread| of_stat(&thread.path())).sum()
}

/// Waits until a guest that never ends has begun, since when `used` is counted
/// from `before`.
pub async fn until_running(before: Duration, used: impl Fn() -> Duration) {
    until("a guest runs", || used() >= before + RUNNING).await;
}

/// Sees that nothing runs any more where `used` counts: next to nothing is used
/// there while another thread uses much. A guest that still ran would get its
/// share of the processors, however many there are and whatever else they do.
#[track_caller]
pub fn assert_idle(used: impl Fn() -> Duration) {
    let before = used();
    std::thread::spawn(burn).join().unwrap();
    let meanwhile = used() - before;
    assert!(meanwhile < BURNED / 4, "{meanwhile:?} were used");
}

fn burn() {
    let own = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let end = own() + BURNED;
    while own() < end {}
}

fn of_stat(process: &Path) -> Option<Duration> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // Fields 14 and 15, in hundredths of a second; the name in field 2 may hold
    // spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields = fields.split(' ').skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
    Some(Duration::from_millis(ticks * 10))
}
