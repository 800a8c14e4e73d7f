//! Metadata of files.

use std::hash::{DefaultHasher, Hash, Hasher};

use rustix::fs::{AtFlags, FileType, Stat, fstat, statat};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue,
};

use super::errors::{Result, code};
use super::guard::Guard;
use super::walk::{End, Kind};
use crate::policy::Access;

/// Returns the metadata of the file or directory that a path resolved to.
pub(super) fn look(guard: &Guard<'_>, end: &End) -> Result<Stat> {
    let stat = match &end.name {
        None => fstat(&end.directory.handle),
        Some(name) => statat(&end.directory.handle, name, AtFlags::SYMLINK_NOFOLLOW),
    };
    let path = end.path();
    let is_directory = match &stat {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
        Err(_) => false,
    };
    // A directory on the way to a grant may be seen. Of other paths, a guest may not
    // even learn whether they exist.
    if guard.access(&path).is_none() && !is_directory {
        return Err(guard.deny(&path, Access::READ));
    }
    if end.kind == Kind::Directory && stat.is_ok() && !is_directory {
        return Err(ErrorCode::NotDirectory);
    }
    stat.map_err(code)
}

pub(super) fn describe(stat: &Stat) -> DescriptorStat {
    DescriptorStat {
        type_: type_of(FileType::from_raw_mode(stat.st_mode)),
        link_count: number(stat.st_nlink),
        size: number(stat.st_size),
        data_access_timestamp: time(stat.st_atime, stat.st_atime_nsec),
        data_modification_timestamp: time(stat.st_mtime, stat.st_mtime_nsec),
        status_change_timestamp: time(stat.st_ctime, stat.st_ctime_nsec),
    }
}

pub(super) fn type_of(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Unknown => DescriptorType::Unknown,
    }
}

/// Equal for the same file; different files almost always differ.
pub(super) fn hash(stat: &Stat) -> MetadataHashValue {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, stat.st_dev, stat.st_ino).hash(&mut hasher);
        hasher.finish()
    };
    MetadataHashValue {
        lower: half(0),
        upper: half(1),
    }
}

/// The fields' types differ between systems; no value is negative.
pub(super) fn number(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or_default()
}

/// `None` for times before 1970.
fn time(seconds: impl TryInto<u64>, nanoseconds: impl TryInto<u32>) -> Option<Datetime> {
    Some(Datetime {
        seconds: seconds.try_into().ok()?,
        nanoseconds: nanoseconds.try_into().ok()?,
    })
}
