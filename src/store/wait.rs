//! Waiting for a lock that another process holds: not in silence, and not for
//! ever.
//!
//! A living holder touches the lock's file now and then. A waiter says after
//! two seconds what it waits for, and gives up when the holder has given no sign
//! of life for a minute: it was stopped, or hangs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::error::StoreError;

/// How long a wait goes on without a word.
const SILENT: Duration = Duration::from_secs(2);
/// How long a holder may give no sign of life.
const LIFELESS: Duration = Duration::from_secs(60);
/// How long to wait where an answer matters more than the lock.
const MOMENT: Duration = Duration::from_millis(500);
/// How often a holder gives one.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// The pauses between two tries grow from the first to the last of these.
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(100);

/// One wait for the lock on one file.
#[derive(Debug)]
pub struct Wait {
    path: PathBuf,
    began: Instant,
    /// The file's time, and when it was first seen to be that.
    sign: (Option<SystemTime>, Instant),
    /// How long the holder may give no sign of life.
    patience: Duration,
    pause: Duration,
    told: bool,
}

impl Wait {
    pub fn new(path: &Path, patience: Patience) -> Self {
        Wait::begin(path, patience, Instant::now())
    }

    fn begin(path: &Path, patience: Patience, now: Instant) -> Self {
        Wait {
            path: path.to_owned(),
            began: now,
            sign: (touched(path), now),
            patience: match patience {
                Patience::UntilLifeless => LIFELESS,
                Patience::Moment => MOMENT,
            },
            pause: SHORTEST,
            told: false,
        }
    }

    /// How long to pause before the lock is tried again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] when there is no use in waiting any longer.
    pub fn pause(&mut self) -> Result<Duration, StoreError> {
        self.pause_at(Instant::now(), touched(&self.path))
    }

    fn pause_at(
        &mut self,
        now: Instant,
        touched: Option<SystemTime>,
    ) -> Result<Duration, StoreError> {
        if touched != self.sign.0 {
            self.sign = (touched, now);
        }
        if now.duration_since(self.sign.1) >= self.patience {
            return Err(StoreError::Locked {
                path: self.path.clone(),
                holder: holder(&self.path),
            });
        }
        if !self.told && now.duration_since(self.began) >= SILENT {
            self.told = true;
            let path = self.path.display();
            match holder(&self.path) {
                Some(pid) => {
                    tracing::warn!("waiting for the lock on `{path}`: process {pid} has it")
                }
                None => tracing::warn!("waiting for the lock on `{path}`: another process has it"),
            }
        }
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(self.pause)
    }
}

/// How long a lock is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// Until its holder has given no sign of life for a minute.
    #[default]
    UntilLifeless,
    /// No longer than a living process holds a lock that is soon free.
    Moment,
}

/// Gives a sign of life to those who wait for a lock that this process holds.
pub fn touch(path: &Path) {
    let touched = fs::File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::debug!(%error, "no sign of life given");
    }
}

fn touched(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// The process that holds the lock on a file, where the system tells.
#[cfg(target_os = "linux")]
fn holder(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(path).ok()?.ino();
    holder_in(&fs::read_to_string("/proc/locks").ok()?, inode)
}

#[cfg(not(target_os = "linux"))]
fn holder(_: &Path) -> Option<u32> {
    None
}

/// Finds `1: FLOCK ADVISORY WRITE 4242 fe:00:131 0 EOF` by its inode, the
/// number after the device's.
#[cfg(target_os = "linux")]
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["FLOCK", _, _, pid, file, ..] = words.get(1..)? else {
            return None;
        };
        let number = file.rsplit(':').next()?;
        let is_it = number.parse() == Ok(inode);
        is_it
            .then(|| pid.parse().ok().filter(|pid| *pid != 0))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_holder_that_gives_signs_of_life_is_waited_for() {
        let begun = Instant::now();
        let mut wait = Wait::begin(Path::new("/absent"), Patience::UntilLifeless, begun);
        for second in 0..300 {
            let sign = SystemTime::UNIX_EPOCH + seconds(second);
            let pause = wait.pause_at(begun + seconds(second), Some(sign));
            assert!(pause.unwrap() <= LONGEST);
        }
        assert!(wait.told);
    }

    #[test]
    fn a_lifeless_holder_is_waited_for_a_minute() {
        let begun = Instant::now();
        let mut wait = Wait::begin(Path::new("/absent"), Patience::UntilLifeless, begun);
        wait.pause_at(begun + seconds(1), None).unwrap();
        assert!(!wait.told);
        wait.pause_at(begun + seconds(59), None).unwrap();
        assert!(wait.told);
        let error = wait.pause_at(begun + seconds(60), None).unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    }

    #[test]
    fn who_has_little_patience_waits_for_a_moment() {
        let begun = Instant::now();
        let mut wait = Wait::begin(Path::new("/absent"), Patience::Moment, begun);
        wait.pause_at(begun, None).unwrap();
        wait.pause_at(begun + MOMENT, None).unwrap_err();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_is_found_by_the_inode() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 77 fe:00:131 0 EOF
2: FLOCK  ADVISORY  WRITE 4242 fe:00:131 0 EOF
2: -> FLOCK  ADVISORY  WRITE 4243 fe:00:131 0 EOF
3: FLOCK  ADVISORY  WRITE 5 fe:00:1310 0 EOF
";
        assert_eq!(holder_in(locks, 131), Some(4242));
        assert_eq!(holder_in(locks, 13), None);
        assert_eq!(holder_in("", 131), None);
    }
}
