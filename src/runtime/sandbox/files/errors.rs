//! Translates the system's error numbers to those of `wasi:filesystem`.

use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

pub(super) type Result<T> = std::result::Result<T, ErrorCode>;

/// Also translates numbers that wasmtime-wasi does not. For example, a program that
/// moves a file to another disk copies it only if it gets `cross-device`.
pub(super) fn code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::XDEV => ErrorCode::CrossDevice,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::NXIO | Errno::NODEV => ErrorCode::NoSuchDevice,
        // BSD's error for a symbolic link where `NOFOLLOW` was given.
        Errno::MLINK => ErrorCode::Loop,
        // The process or the system has too many open files.
        Errno::MFILE | Errno::NFILE => ErrorCode::InsufficientMemory,
        errno => std::io::Error::from(errno).into(),
    }
}
