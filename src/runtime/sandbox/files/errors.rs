//! The system's error numbers as `wasi:filesystem`'s.

use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

pub(super) type Result<T> = std::result::Result<T, ErrorCode>;

/// Some numbers have no counterpart in wasmtime-wasi; moving a file to another
/// disk, for one, works only if the guest is told.
pub(super) fn code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::XDEV => ErrorCode::CrossDevice,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::NXIO | Errno::NODEV => ErrorCode::NoSuchDevice,
        // BSD's word for a link where `NOFOLLOW` allows none.
        Errno::MLINK => ErrorCode::Loop,
        // Too many open files, of the process or the system.
        Errno::MFILE | Errno::NFILE => ErrorCode::InsufficientMemory,
        errno => std::io::Error::from(errno).into(),
    }
}
