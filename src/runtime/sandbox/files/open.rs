//! Opens files and directories.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, ftruncate, openat, statat};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags};

use super::errors::{Result, code};
use super::guard::Guard;
use super::kernel;
use super::metadata::number;
use super::quota::Amount;
use super::walk::{Directory, End, Kind, PATH_ONLY};
use crate::policy::Access;

pub(super) enum Opened {
    Directory(Directory),
    File {
        file: File,
        /// Its real path.
        path: PathBuf,
        /// The access it was opened with.
        wanted: Access,
    },
}

/// The access and flags that `open-at` requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub access: Access,
    pub how: OpenFlags,
}

impl Wish {
    pub fn new(how: OpenFlags, flags: DescriptorFlags) -> Result<Self> {
        let sync = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if flags.intersects(sync) {
            return Err(ErrorCode::Unsupported);
        }
        let changes = OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let directory = how.contains(OpenFlags::DIRECTORY);
        if directory && how.intersects(changes | OpenFlags::EXCLUSIVE) {
            return Err(ErrorCode::Invalid);
        }
        let mut access = Access::NONE;
        if flags.contains(DescriptorFlags::WRITE) || how.intersects(changes) {
            access = Access::WRITE;
        }
        // Flags without read or write mean read.
        if flags.contains(DescriptorFlags::READ) || access.is_none() {
            access = access | Access::READ;
        }
        Ok(Wish { access, how })
    }

    fn writes(self) -> bool {
        self.access.contains(Access::WRITE)
    }
}

/// Opens the end of a path. Nothing is created, truncated or opened before the
/// guard has agreed.
pub(super) fn open(guard: &Guard<'_>, end: &End, wish: Wish) -> Result<Opened> {
    let there = match &end.name {
        None => Some(FileType::Directory),
        Some(name) => match statat(&end.directory.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode)),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(code(errno)),
        },
    };
    if there == Some(FileType::Directory) {
        if wish.how.contains(OpenFlags::EXCLUSIVE | OpenFlags::CREATE) {
            return Err(ErrorCode::Exist);
        }
        if wish.writes() {
            return Err(ErrorCode::IsDirectory);
        }
        return Ok(Opened::Directory(open_directory(guard, end)?));
    }
    guard.require(&end.path(), wish.access)?;
    let is_directory = end.kind == Kind::Directory || wish.how.contains(OpenFlags::DIRECTORY);
    match there {
        None if !wish.how.contains(OpenFlags::CREATE) => Err(ErrorCode::NoEntry),
        None if is_directory => Err(ErrorCode::IsDirectory),
        Some(_) if is_directory => Err(ErrorCode::NotDirectory),
        Some(FileType::Symlink) => Err(ErrorCode::Loop),
        None => {
            guard.charge(&end.path(), Amount::NAME)?;
            let opened = open_file(guard, end, wish);
            opened.inspect_err(|_| guard.give_back(&end.path(), Amount::NAME))
        }
        Some(FileType::RegularFile) => open_file(guard, end, wish),
        // Opening a device can have effects, and opening a pipe can block.
        Some(_) => Err(guard.never(&end.path(), wish.access)),
    }
}

fn open_file(guard: &Guard<'_>, end: &End, wish: Wish) -> Result<Opened> {
    let Some(name) = &end.name else {
        return Err(ErrorCode::IsDirectory);
    };
    let path = end.path();
    kernel::refuse(guard, &end.directory.handle, &path, wish.access)?;
    // `NONBLOCK`, in case the file was replaced by a pipe since the check.
    let mut flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    flags |= match wish.access {
        Access::READ_WRITE => OFlags::RDWR,
        Access::WRITE => OFlags::WRONLY,
        _ => OFlags::RDONLY,
    };
    if wish.how.contains(OpenFlags::CREATE) {
        flags |= OFlags::CREATE;
        flags.set(OFlags::EXCL, wish.how.contains(OpenFlags::EXCLUSIVE));
    }
    let file = openat(&end.directory.handle, name, flags, Mode::from(0o666)).map_err(code)?;
    let stat = fstat(&file).map_err(code)?;
    let is_privileged = Mode::from(stat.st_mode).intersects(Mode::SUID | Mode::SGID);
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
        || wish.writes() && is_privileged
    {
        return Err(guard.never(&path, wish.access));
    }
    guard.refuse_own_stat(&stat, &path, wish.access)?;
    // Checks the file itself, too: a kernel file may be mounted over a single file.
    kernel::refuse(guard, &file, &path, wish.access)?;
    if wish.how.contains(OpenFlags::TRUNCATE) {
        ftruncate(&file, 0).map_err(code)?;
        let freed = Amount::bytes(number(stat.st_size));
        guard.give_back(&path, freed);
    }
    Ok(Opened::File {
        file: file.into(),
        path,
        wanted: wish.access,
    })
}

/// Opens the directory that a path resolved to.
pub(super) fn open_directory(guard: &Guard<'_>, end: &End) -> Result<Directory> {
    let name = end.name.as_deref().unwrap_or(".".as_ref());
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let parent = &end.directory.handle;
    let opened = match openat(parent, name, flags | OFlags::RDONLY, Mode::empty()) {
        // A directory that may not be listed may still be passed through.
        Err(Errno::ACCESS) => openat(parent, name, flags | PATH_ONLY, Mode::empty()),
        opened => opened,
    };
    let directory = Directory {
        handle: Arc::new(opened.map_err(code)?.into()),
        path: end.path(),
    };
    guard.refuse_own(&directory.handle, &directory.path, Access::READ)?;
    Ok(directory)
}
