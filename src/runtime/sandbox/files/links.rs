//! Restricts where the symbolic links that guests make may lead.
//!
//! A guest's own path resolution checks every link. Programs of the host that use the
//! same directories do not, so no guest may make a link that leads out of its grants.
//! A link is checked when it is made, and again when it is renamed, hard-linked, or
//! moved with a directory that contains it:
//!
//! - The target must be relative, with `..` only at its beginning, so that it means
//!   the same even if directories on the way are replaced.
//! - The target is resolved. Everything that is or may ever be there must be granted,
//!   so that the link never exposes anything else.

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

/// Most entries that are checked before a directory is renamed.
const ENTRIES: usize = 10_000;
/// Deepest nesting of directories that is checked before the outer one is renamed.
const DEEPEST: usize = 64;

static NAMES: Mutex<()> = Mutex::new(());

/// Locks names from checking a link or directory until its name is changed, so that
/// no other guest of this process replaces it meanwhile.
pub(super) fn hold_names() -> MutexGuard<'static, ()> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Errors
///
/// `not-permitted`, recorded as a denial, unless a link in `directory` (a real path)
/// with this target stays within the grants.
pub(super) fn judge(guard: &Guard<'_>, directory: &Path, target: &Path) -> Result<()> {
    let Some(target) = Target::new(target) else {
        return Err(guard.never(&directory.join(target), Access::READ));
    };
    target.judge(guard, directory)
}

/// As [`judge`], for an existing link.
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
/// `not-permitted`, recorded as a denial, if a link in the directory `name` would
/// lead out of the grants when that directory is at `path`; `cross-device` if it has
/// too many entries to check, on which programs fall back to copying.
pub(super) fn judge_tree(
    guard: &Guard<'_>,
    from: &Directory,
    name: &OsStr,
    path: &Path,
) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = openat(&from.handle, name, flags, Mode::empty()).map_err(code)?;
    let mut left = ENTRIES;
    // The open directories below the moved one, with their future real paths.
    let mut open = vec![(Dir::new(top).map_err(code)?, path.to_path_buf())];
    while let Some((mut entries, here)) = open.pop() {
        // The whole directory is granted, so a link that stays within it leads to the
        // same place as before.
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

/// A target that has the same meaning whatever directories it passes through.
struct Target {
    /// The number of `..` at its beginning.
    up: usize,
    /// The names after that.
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

/// The end of a path.
struct Landing {
    /// The real path, followed by the names that do not exist yet.
    path: PathBuf,
    is_directory: bool,
}

impl Landing {
    /// The last names of the path may be missing: they could be created later.
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
/// `not-permitted`, recorded as a denial, for files of the kernel.
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
