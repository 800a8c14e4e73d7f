//! Waits for a lock that another process holds, with a log message and a time limit.
//!
//! A live holder touches the lock's file from time to time. After two seconds a
//! waiter logs what it waits for. It gives up when the file was not touched for a
//! minute: the holder is stopped or hangs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::error::StoreError;

/// Duration of a wait after which it is logged.
const SILENT: Duration = Duration::from_secs(2);
/// Longest time for which a live holder leaves the lock's file untouched.
const LIFELESS: Duration = Duration::from_secs(60);
/// Limit of a wait where a quick answer matters more than the lock.
const MOMENT: Duration = Duration::from_millis(500);
/// Interval at which a holder touches the lock's file.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// First and longest pause between two attempts; each pause doubles the one before.
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(100);

/// One wait for the lock on one file.
#[derive(Debug)]
pub struct Wait {
    path: PathBuf,
    began: Instant,
    /// The lock file's modification time, and when this value was first seen.
    sign: (Option<SystemTime>, Instant),
    /// Limit for that time to stay the same.
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

    /// Returns the pause before the next attempt to take the lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] when the holder has not touched the file for too long.
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
                    tracing::warn!("waiting for the lock on `{path}`: process {pid} holds it")
                }
                None => {
                    tracing::warn!("waiting for the lock on `{path}`: another process holds it")
                }
            }
        }
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(self.pause)
    }
}

/// The limit of a wait for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// Until its holder has not touched the file for a minute.
    #[default]
    UntilLifeless,
    /// Half a second, more than enough for locks that are only held briefly.
    Moment,
}

/// Touches the file of a lock that this process holds, to show waiters it is alive.
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

/// Returns the process that holds the lock on a file, where the system reports it.
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

/// Finds `1: FLOCK ADVISORY WRITE 4242 fe:00:131 0 EOF` by the inode, the last part
/// of `fe:00:131`.
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
