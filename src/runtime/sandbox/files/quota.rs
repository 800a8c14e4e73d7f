//! Limits how much a component may add to the files it was granted.
//!
//! Counts the bytes of files, and the names of files, directories and links, that its calls add,
//! minus those that they remove, since its policy was read. Existing files are not counted.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::errors::Result;
use super::guard::Guard;
use crate::policy::Quota;

/// Most bytes under all grants without a quota of their own, together.
const BYTES: u64 = 10 << 30;
/// Most names under all grants.
const NAMES: u64 = 100_000;

/// The names and bytes that one component has added; its calls share them.
#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    names: u64,
    /// Bytes for each rule that sets a quota; `None` is for grants without one.
    bytes: HashMap<Option<usize>, u64>,
}

/// An amount to add or remove.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amount {
    pub names: u64,
    pub bytes: u64,
}

impl Amount {
    pub const NAME: Amount = Amount { names: 1, bytes: 0 };

    pub fn bytes(bytes: u64) -> Self {
        Amount { names: 0, bytes }
    }
}

impl Usage {
    /// Adds the whole amount or nothing.
    fn add(&self, quota: Quota, amount: Amount) -> Result<()> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = used.names.saturating_add(amount.names);
        let bytes = used.bytes.entry(quota.rule).or_default();
        let sum = bytes.saturating_add(amount.bytes);
        if (amount.names > 0 && names > NAMES)
            || (amount.bytes > 0 && sum > quota.bytes.unwrap_or(BYTES))
        {
            return Err(ErrorCode::Quota);
        }
        *bytes = sum;
        used.names = names;
        Ok(())
    }

    fn take(&self, quota: Quota, amount: Amount) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.names = used.names.saturating_sub(amount.names);
        let bytes = used.bytes.entry(quota.rule).or_default();
        *bytes = bytes.saturating_sub(amount.bytes);
    }
}

impl Guard<'_> {
    /// Charges an amount that is about to be added at a path.
    ///
    /// # Errors
    ///
    /// `quota` when the component would exceed its quota.
    pub fn charge(&self, path: &Path, amount: Amount) -> Result<()> {
        let charged = self.usage.add(self.rules.quota(path), amount);
        charged.inspect_err(|_| tracing::debug!(path = %path.display(), "over its quota"))
    }

    /// Subtracts an amount that was removed from a path, or not added after all.
    pub fn give_back(&self, path: &Path, amount: Amount) {
        self.usage.take(self.rules.quota(path), amount);
    }
}

/// A stream into a file that charges the growth of the file to the quota.
pub(super) struct Counted {
    pub inner: DynOutputStream,
    pub file: Arc<File>,
    /// Offset of the next write; `None` to append.
    pub at: Option<u64>,
    /// End of the furthest write that was charged.
    pub furthest: u64,
    pub usage: Arc<Usage>,
    pub quota: Quota,
}

impl OutputStream for Counted {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let length = bytes.len() as u64;
        let growth = match self.at {
            None => length,
            Some(at) => {
                let size = self.file.metadata().map_or(0, |metadata| metadata.len());
                let end = at.saturating_add(length);
                let growth = end.saturating_sub(size.max(self.furthest));
                self.at = Some(end);
                self.furthest = self.furthest.max(end);
                growth
            }
        };
        if self.usage.add(self.quota, Amount::bytes(growth)).is_err() {
            // The errors of wasmtime-wasi's streams include none for a quota.
            let full = io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error());
            return Err(StreamError::LastOperationFailed(full.into()));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Counted {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_nothing_is_added_and_what_is_taken_away_can_be_added_again() {
        let usage = Usage::default();
        let small = Quota {
            rule: Some(0),
            bytes: Some(100),
        };
        let other = Quota {
            rule: None,
            bytes: None,
        };
        usage.add(small, Amount::bytes(60)).unwrap();
        assert!(
            usage
                .add(
                    small,
                    Amount {
                        names: 1,
                        bytes: 41
                    }
                )
                .is_err()
        );
        usage.add(small, Amount::bytes(40)).unwrap();
        // No more bytes fit, but a name without bytes does.
        assert!(usage.add(small, Amount::bytes(1)).is_err());
        usage.add(small, Amount::NAME).unwrap();
        usage.add(other, Amount::bytes(BYTES)).unwrap();
        assert!(usage.add(other, Amount::bytes(1)).is_err());
        usage.take(small, Amount::bytes(1000));
        usage.add(small, Amount::bytes(100)).unwrap();
        let names = Amount {
            names: NAMES - 1,
            bytes: 0,
        };
        usage.add(other, names).unwrap();
        assert!(usage.add(other, Amount::NAME).is_err());
        usage.take(other, names);
        usage.add(other, Amount::NAME).unwrap();
    }
}
