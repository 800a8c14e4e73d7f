//! Refuses files of the kernel's filesystems, such as `/proc`.
//!
//! `/proc/self` is this server: its memory, its environment, its open files. A grant
//! with wildcards, such as `fs:///**`, does not include them.

use std::os::fd::AsFd;
use std::path::Path;

use super::errors::Result;
use super::guard::Guard;
use crate::policy::Access;

/// `proc`, `sysfs`, `cgroup` (two versions), `debugfs`, `tracefs`, `configfs`,
/// `securityfs`, `bpf`, `efivarfs`: the magic numbers of `linux/magic.h`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const KERNEL: [u32; 10] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x6265_6570,
    0x7363_6673,
    0xcafe_4a11,
    0xde5e_81e4,
];

/// # Errors
///
/// `not-permitted`, recorded as a denial, for a kernel file (`open` is the file, or
/// the directory it is in) that no rule names by its whole path.
pub(super) fn refuse(
    guard: &Guard<'_>,
    open: impl AsFd,
    path: &Path,
    needed: Access,
) -> Result<()> {
    if !is_kernels(open)? {
        return Ok(());
    }
    let missing = needed - guard.rules.access_by_name(path);
    if missing.is_none() {
        return Ok(());
    }
    Err(guard.deny(path, missing))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_kernels(open: impl AsFd) -> Result<bool> {
    let system = rustix::fs::fstatfs(open).map_err(super::errors::code)?;
    // All these numbers have 32 bits; the field may be wider and signed.
    Ok(KERNEL.contains(&(system.f_type as u32)))
}

/// On other systems such files are devices, which are never opened, or do not exist.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_kernels(_open: impl AsFd) -> Result<bool> {
    Ok(false)
}
