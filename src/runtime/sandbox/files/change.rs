//! Creates, renames and removes names, and sets times.
//!
//! A change needs a write grant for the name's own path.

use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens, linkat,
    mkdirat, readlinkat, renameat, statat, symlinkat, unlinkat, utimensat,
};
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, NewTimestamp};

use super::errors::{Result, code};
use super::guard::Guard;
use super::kernel;
use super::links;
use super::metadata;
use super::quota::Amount;
use super::walk::{Directory, End, Kind};
use crate::policy::Access;

/// A name in an open directory that the guest may change.
struct Name<'a> {
    directory: &'a Directory,
    name: &'a std::ffi::OsStr,
    path: PathBuf,
}

impl<'a> Name<'a> {
    fn writable(guard: &Guard<'_>, end: &'a End) -> Result<Self> {
        let path = end.path();
        guard.require(&path, Access::WRITE)?;
        // The operator provides the root directories; a guest cannot remove or rename
        // them.
        if guard.roots.holds(&path) {
            return Err(ErrorCode::Busy);
        }
        let name = Name {
            directory: &end.directory,
            // A path that ends in `.`, `..` or `/` has no name.
            name: end.name.as_deref().ok_or(ErrorCode::Invalid)?,
            path,
        };
        guard.refuse_above_own(name.stat().ok().as_ref(), &name.path)?;
        Ok(name)
    }

    fn stat(&self) -> Result<Stat> {
        statat(&self.directory.handle, self.name, AtFlags::SYMLINK_NOFOLLOW).map_err(code)
    }

    fn kind(&self) -> Result<FileType> {
        Ok(FileType::from_raw_mode(self.stat()?.st_mode))
    }
}

pub(super) fn create_directory(guard: &Guard<'_>, end: &End) -> Result<()> {
    guard.require(&end.path(), Access::WRITE)?;
    let name = end.name.as_deref().ok_or(ErrorCode::Exist)?;
    adding_name(guard, &end.path(), || {
        mkdirat(&end.directory.handle, name, Mode::from(0o777)).map_err(code)
    })
}

pub(super) fn remove_directory(guard: &Guard<'_>, end: &End) -> Result<()> {
    let old = Name::writable(guard, end)?;
    unlinkat(&old.directory.handle, old.name, AtFlags::REMOVEDIR).map_err(code)?;
    guard.give_back(&old.path, Amount::NAME);
    Ok(())
}

/// Removes a file or link.
pub(super) fn unlink(guard: &Guard<'_>, end: &End) -> Result<()> {
    let old = Name::writable(guard, end)?;
    let stat = old.stat()?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(ErrorCode::IsDirectory);
    }
    if end.kind == Kind::Directory {
        return Err(ErrorCode::NotDirectory);
    }
    unlinkat(&old.directory.handle, old.name, AtFlags::empty()).map_err(code)?;
    guard.give_back(&old.path, freed_with(&stat));
    Ok(())
}

pub(super) fn rename(guard: &Guard<'_>, from: &End, to: &End) -> Result<()> {
    let (old, new) = (Name::writable(guard, from)?, Name::writable(guard, to)?);
    let _names = links::hold_names();
    let kind = old.kind()?;
    if kind == FileType::Directory {
        // Other rules could apply to the directory's present and future contents.
        guard.require_tree(&old.path)?;
        guard.require_tree(&new.path)?;
        links::judge_tree(guard, old.directory, old.name, &new.path)?;
    } else {
        if from.kind == Kind::Directory || to.kind == Kind::Directory {
            return Err(ErrorCode::NotDirectory);
        }
        no_more_than(guard, &old.path, &new.path)?;
        if kind == FileType::Symlink {
            links::judge_moved(guard, old.directory, old.name, &new.directory.path)?;
        }
    }
    let replaced = new.stat();
    renameat(
        &old.directory.handle,
        old.name,
        &new.directory.handle,
        new.name,
    )
    .map_err(code)?;
    if let Ok(stat) = replaced {
        guard.give_back(&new.path, freed_with(&stat));
    }
    Ok(())
}

/// Creates a hard link.
pub(super) fn link(guard: &Guard<'_>, from: &End, to: &End) -> Result<()> {
    let (old, new) = (Name::writable(guard, from)?, Name::writable(guard, to)?);
    no_more_than(guard, &old.path, &new.path)?;
    let _names = links::hold_names();
    match old.kind()? {
        FileType::RegularFile => {}
        FileType::Symlink => {
            links::judge_moved(guard, old.directory, old.name, &new.directory.path)?;
        }
        _ => return Err(guard.never(&old.path, Access::WRITE)),
    }
    let flags = AtFlags::empty();
    let (from, to) = (&old.directory.handle, &new.directory.handle);
    adding_name(guard, &new.path, || {
        linkat(from, old.name, to, new.name, flags).map_err(code)
    })
}

/// Charges a name to the quota, unless adding it fails.
fn adding_name(guard: &Guard<'_>, path: &Path, add: impl FnOnce() -> Result<()>) -> Result<()> {
    guard.charge(path, Amount::NAME)?;
    add().inspect_err(|_| guard.give_back(path, Amount::NAME))
}

/// Returns the amount that removing this name gives back to the quota; the bytes count only with a
/// file's last name.
fn freed_with(stat: &Stat) -> Amount {
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let is_last = is_file && stat.st_nlink == 1;
    Amount {
        names: 1,
        bytes: if is_last {
            metadata::number(stat.st_size)
        } else {
            0
        },
    }
}

/// The new name must not grant more access to the file than the old one.
fn no_more_than(guard: &Guard<'_>, old: &Path, new: &Path) -> Result<()> {
    guard.require(old, guard.access(new))
}

/// Creates a symbolic link whose target is within the grants.
pub(super) fn symlink(guard: &Guard<'_>, target: &str, end: &End) -> Result<()> {
    let new = Name::writable(guard, end)?;
    let _names = links::hold_names();
    links::judge(guard, &new.directory.path, Path::new(target))?;
    adding_name(guard, &new.path, || {
        symlinkat(target, &new.directory.handle, new.name).map_err(code)
    })
}

pub(super) fn read_link(guard: &Guard<'_>, end: &End) -> Result<String> {
    let path = end.path();
    guard.require(&path, Access::READ)?;
    let name = end.name.as_deref().ok_or(ErrorCode::Invalid)?;
    let directory = &end.directory.handle;
    kernel::refuse(guard, directory, &path, Access::READ)?;
    let target = readlinkat(directory, name, Vec::new()).map_err(code)?;
    target
        .into_string()
        .map_err(|_| ErrorCode::IllegalByteSequence)
}

pub(super) fn set_times(
    guard: &Guard<'_>,
    end: &End,
    accessed: NewTimestamp,
    modified: NewTimestamp,
) -> Result<()> {
    guard.require(&end.path(), Access::WRITE)?;
    let times = Timestamps {
        last_access: time(accessed)?,
        last_modification: time(modified)?,
    };
    let directory = &end.directory.handle;
    match &end.name {
        // Does not follow a link that was just put there.
        Some(name) => utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW),
        None => futimens(directory, &times),
    }
    .map_err(code)
}

fn time(new: NewTimestamp) -> Result<Timespec> {
    let (tv_sec, tv_nsec) = match new {
        NewTimestamp::NoChange => (0, UTIME_OMIT),
        NewTimestamp::Now => (0, UTIME_NOW),
        NewTimestamp::Timestamp(time) => (
            time.seconds.try_into().map_err(|_| ErrorCode::Overflow)?,
            time.nanoseconds.into(),
        ),
    };
    Ok(Timespec { tv_sec, tv_nsec })
}
