//! Where the symbolic links of guests may lead.
//!
//! A guest's own walks check every link that they meet. Programs of the host
//! that walk the same directories do not, so no guest may put a link there that
//! leads out of its grants. A link is judged when it is made, and again when it
//! is renamed, gets another name, or is moved with the directory it is in:
//!
//! - Its target is relative, and `..` stands only at its beginning, so that it
//!   means the same whatever the directories on the way are replaced by.
//! - The target is walked. All that is or may ever be where it ends is granted,
//!   so that a link to it never leads to what is not.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::errors::{Result, code};
use super::guard::Guard;
use super::kernel;
use super::walk::{Directory, End, LastLink, PATH_ONLY, walk};
use crate::policy::{Access, Decision};

/// Entries that are looked at before a directory is renamed.
const ENTRIES: usize = 10_000;
/// Directories in each other that are looked at before the outer is renamed.
const DEEPEST: usize = 64;

static NAMES: Mutex<()> = Mutex::new(());

/// Held from the look at a link or directory until its name is changed, so that
/// no other guest of this process replaces it by another one meanwhile.
pub(super) fn hold_names() -> MutexGuard<'static, ()> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Errors
///
/// `not-permitted`, noted, unless a link in `directory` (a real path) with this
/// target stays within the grants.
pub(super) fn judge(guard: &Guard<'_>, directory: &Path, target: &Path) -> Result<()> {
    let Some(target) = Target::new(target) else {
        return Err(guard.never(&directory.join(target), Access::READ));
    };
    target.judge(guard, directory)
}

/// As [`judge`], for a link that is there.
pub(super) fn judge_moved(
    guard: &Guard<'_>,
    from: &Directory,
    name: &OsStr,
    directory: &Path,
) -> Result<()> {
    judge(guard, directory, &target_of(&from.handle, name)?)
}

/// # Errors
///
/// `not-permitted`, noted, if a link somewhere in the directory `name` would
/// lead out of the grants when that directory is at `path`; `cross-device` if
/// there is too much in it to look at, which programs answer with a copy.
pub(super) fn judge_tree(
    guard: &Guard<'_>,
    from: &Directory,
    name: &OsStr,
    path: &Path,
) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = openat(&from.handle, name, flags, Mode::empty()).map_err(code)?;
    let mut left = ENTRIES;
    // Below the directory that is moved: real paths as they will be.
    let mut open = vec![(Dir::new(top).map_err(code)?, path.to_path_buf())];
    while let Some((mut entries, here)) = open.pop() {
        // All of the directory is granted, so a link that stays within it
        // leads to the same place as before.
        let depth = open.len();
        let Some(entry) = entries.read() else {
            continue;
        };
        let entry = entry.map_err(code)?;
        let name = entry.file_name();
        let directory = entries.fd().map_err(code)?;
        let mut below = None;
        if name != c"." && name != c".." {
            left = left.checked_sub(1).ok_or(ErrorCode::CrossDevice)?;
            let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(code)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => {
                    let target = target_of(directory, name)?;
                    let stays = |target: &Target| target.up <= depth;
                    if !Target::new(&target).as_ref().is_some_and(stays) {
                        judge(guard, &here, &target)?;
                    }
                }
                FileType::Directory if depth == DEEPEST => return Err(ErrorCode::CrossDevice),
                FileType::Directory => {
                    let opened = openat(directory, name, flags, Mode::empty()).map_err(code)?;
                    let path = here.join(OsStr::from_bytes(name.to_bytes()));
                    below = Some((Dir::new(opened).map_err(code)?, path));
                }
                _ => {}
            }
        }
        open.push((entries, here));
        open.extend(below);
    }
    Ok(())
}

fn target_of(directory: impl AsFd, name: impl rustix::path::Arg) -> Result<PathBuf> {
    let target = readlinkat(directory, name, Vec::new()).map_err(code)?;
    Ok(OsString::from_vec(target.into_bytes()).into())
}

/// A target that means the same whatever is on the way.
struct Target {
    /// How many times it goes up first.
    up: usize,
    /// Names after that.
    down: PathBuf,
}

impl Target {
    fn new(target: &Path) -> Option<Self> {
        let mut found = Target {
            up: 0,
            down: PathBuf::new(),
        };
        for component in target.components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir if found.down.as_os_str().is_empty() => found.up += 1,
                Component::Normal(name) => found.down.push(name),
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(found)
    }

    fn judge(&self, guard: &Guard<'_>, directory: &Path) -> Result<()> {
        // The root is its own parent.
        let base = directory.ancestors().take(self.up + 1).last();
        let path = base.unwrap_or(Path::new("/")).join(&self.down);
        let lands = Landing::of(guard, &path)?;
        let access = guard.access(&lands.path);
        if access.is_none() {
            return Err(guard.deny(&lands.path, Access::READ));
        }
        if !lands.is_directory {
            return Ok(());
        }
        guard.refuse_above_own(None, &lands.path)?;
        match guard.rules.whole_tree(&lands.path, access) {
            Decision::Allowed => Ok(()),
            Decision::Denied(reason) => Err(guard.note(&lands.path.join("**"), access, reason)),
        }
    }
}

/// Where a path leads.
struct Landing {
    /// The real path, as far as there is something.
    path: PathBuf,
    is_directory: bool,
}

impl Landing {
    /// Names at the end of the path may be missing: they may be made later.
    fn of(guard: &Guard<'_>, path: &Path) -> Result<Self> {
        let mut missing = Vec::new();
        let mut there = path;
        loop {
            let text = there.to_str().ok_or(ErrorCode::IllegalByteSequence)?;
            match walk(
                guard,
                Directory::root()?,
                text,
                LastLink::Follow,
                Access::READ,
            ) {
                Ok(end) => {
                    let is_directory = missing.is_empty() && is_directory(guard, &end)?;
                    let mut path = end.path();
                    path.extend(missing.iter().rev());
                    return Ok(Landing { path, is_directory });
                }
                Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => {
                    missing.push(there.file_name().ok_or(ErrorCode::NoEntry)?);
                    there = there.parent().ok_or(ErrorCode::NoEntry)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// # Errors
///
/// `not-permitted`, noted, for the kernel's files.
fn is_directory(guard: &Guard<'_>, end: &End) -> Result<bool> {
    let here = &end.directory.handle;
    let path = end.path();
    kernel::refuse(guard, here, &path, Access::READ)?;
    let Some(name) = &end.name else {
        return Ok(true);
    };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | PATH_ONLY;
    match openat(here, name, flags, Mode::empty()) {
        Ok(directory) => kernel::refuse(guard, directory, &path, Access::READ).map(|()| true),
        Err(Errno::NOTDIR | Errno::NOENT) => Ok(false),
        Err(errno) => Err(code(errno)),
    }
}
