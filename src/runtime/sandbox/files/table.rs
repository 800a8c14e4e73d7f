//! What one guest has open.

use std::any::Any;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File, WasiFilesystemCtx};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::{FsPerms, OpenMode};

use super::FilesView;
use super::errors::Result;
use super::open::Opened;
use super::walk::Directory;
use crate::policy::Access;

/// Files and directories one guest may have open, streams included: the
/// system's limit is for the whole server.
const OPEN: usize = 256;

/// Guests have threads of their own to block.
const ALLOW_BLOCKING: bool = true;

#[derive(Default)]
pub(in crate::runtime::sandbox) struct OpenFiles {
    /// Holds nothing; wasmtime-wasi's functions want one.
    pub(super) wasi: WasiFilesystemCtx,
    /// By the descriptor's place in the resource table.
    nodes: HashMap<u32, Node>,
    /// All that was opened; streams may outlive their descriptors.
    handles: Vec<Weak<dyn Any + Send + Sync>>,
    thread: Thread,
}

/// What is known of a descriptor besides its handle.
struct Node {
    /// Its real path.
    path: PathBuf,
    state: State,
}

enum State {
    Open,
    /// This one of the roots, to be opened when it is first used.
    Waiting(usize),
}

/// Where the guest runs.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    /// Perhaps on the caller's, where nothing may block.
    #[default]
    Unknown,
    /// On a thread that guests may block.
    Guests,
}

impl OpenFiles {
    /// Keeps count of what is open until it is dropped everywhere.
    ///
    /// # Errors
    ///
    /// When the guest has too much open.
    pub(super) fn count<T: Any + Send + Sync>(&mut self, handle: &Arc<T>) -> Result<()> {
        if self.handles.len() >= OPEN {
            self.handles.retain(|handle| handle.strong_count() > 0);
        }
        if self.handles.len() >= OPEN {
            tracing::debug!("a guest has {OPEN} files open");
            return Err(ErrorCode::InsufficientMemory);
        }
        let handle: Weak<T> = Arc::downgrade(handle);
        self.handles.push(handle);
        Ok(())
    }

    pub(super) fn forget(&mut self, rep: u32) {
        self.nodes.remove(&rep);
    }
}

impl FilesView<'_> {
    /// To be awaited before anything that may block. A call starts on its
    /// caller's thread, and is moved to one of the guests' when it waits.
    pub(super) async fn leave_the_caller(&mut self) {
        if self.open.thread == Thread::Unknown {
            self.open.thread = Thread::Guests;
            tokio::task::yield_now().await;
        }
    }

    /// To be awaited before a descriptor is used.
    pub(super) async fn ready(&mut self, fd: &Resource<Descriptor>) -> FsResult<()> {
        self.leave_the_caller().await;
        let guard = self.guard();
        let node = self.open.nodes.get_mut(&fd.rep());
        let node = node.ok_or(ErrorCode::BadDescriptor)?;
        if let State::Waiting(root) = node.state {
            let root = self.files.roots.get(root).ok_or(ErrorCode::BadDescriptor)?;
            let directory = root.open(&guard)?;
            node.path.clone_from(&directory.path);
            let access = guard.access(&directory.path);
            *self.table.get_mut(fd)? = Descriptor::Dir(dir(directory, access)?);
            node.state = State::Open;
        }
        Ok(())
    }

    /// The directory behind a descriptor that is ready.
    pub(super) fn directory(&self, fd: &Resource<Descriptor>) -> FsResult<Directory> {
        match self.table.get(fd)? {
            Descriptor::Dir(dir) => Ok(Directory {
                handle: Arc::clone(&dir.dir),
                path: self.path(fd)?.to_path_buf(),
            }),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// The real path of what is open.
    pub(super) fn path(&self, fd: &Resource<Descriptor>) -> Result<&Path> {
        let node = self.open.nodes.get(&fd.rep());
        Ok(&node.ok_or(ErrorCode::BadDescriptor)?.path)
    }

    /// # Errors
    ///
    /// `not-permitted`, noted, when what the descriptor stands for may not be
    /// changed.
    pub(super) fn require_write(&self, fd: &Resource<Descriptor>) -> FsResult<()> {
        let perms = match self.table.get(fd)? {
            Descriptor::File(file) => file.perms,
            Descriptor::Dir(dir) => dir.perms,
        };
        if perms == FsPerms::ReadOnly {
            return Err(self.guard().deny(self.path(fd)?, Access::WRITE).into());
        }
        Ok(())
    }

    /// Hands what was opened to the guest.
    pub(super) fn push(&mut self, opened: Opened) -> FsResult<Resource<Descriptor>> {
        let (descriptor, path) = match opened {
            Opened::Directory(directory) => {
                let path = directory.path.clone();
                let dir = dir(directory, self.guard().access(&path))?;
                self.open.count(&dir.dir)?;
                (Descriptor::Dir(dir), path)
            }
            Opened::File { file, path, wanted } => {
                let perms = perms(self.guard().access(&path));
                let file = File::new(file, perms, mode(wanted), ALLOW_BLOCKING);
                self.open.count(&file.file)?;
                (Descriptor::File(file), path)
            }
        };
        let state = State::Open;
        self.push_node(descriptor, Node { path, state })
    }

    /// A root that will be opened when it is used. Blocks nothing.
    pub(super) fn push_root(
        &mut self,
        index: usize,
        host: &Path,
    ) -> FsResult<Resource<Descriptor>> {
        let dir = dir(Directory::root()?, self.guard().access(host))?;
        self.open.count(&dir.dir)?;
        let node = Node {
            path: host.to_path_buf(),
            state: State::Waiting(index),
        };
        self.push_node(Descriptor::Dir(dir), node)
    }

    fn push_node(&mut self, descriptor: Descriptor, node: Node) -> FsResult<Resource<Descriptor>> {
        let fd = self.table.push(descriptor)?;
        self.open.nodes.insert(fd.rep(), node);
        Ok(fd)
    }
}

fn dir(directory: Directory, access: Access) -> Result<Dir> {
    // In a directory that only leads to grants, something may be writable.
    let wanted = if access.is_none() {
        Access::READ_WRITE
    } else {
        access | Access::READ
    };
    let handle = match Arc::try_unwrap(directory.handle) {
        Ok(handle) => handle,
        Err(shared) => shared.try_clone()?,
    };
    Ok(Dir::new(
        handle,
        perms(access),
        mode(wanted),
        ALLOW_BLOCKING,
    ))
}

fn perms(access: Access) -> FsPerms {
    if access.contains(Access::WRITE) {
        FsPerms::ReadWrite
    } else {
        FsPerms::ReadOnly
    }
}

fn mode(wanted: Access) -> OpenMode {
    let mut mode = OpenMode::empty();
    mode.set(OpenMode::READ, wanted.contains(Access::READ));
    mode.set(OpenMode::WRITE, wanted.contains(Access::WRITE));
    mode
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_bounded_and_what_is_closed_not_counted() {
        let mut open = OpenFiles::default();
        let mut held: Vec<Arc<u8>> = (0..OPEN).map(|_| Arc::new(0)).collect();
        for handle in &held {
            open.count(handle).unwrap();
        }
        let another = Arc::new(0_u8);
        let refused = open.count(&another).unwrap_err();
        assert!(matches!(refused, ErrorCode::InsufficientMemory));
        held.pop();
        open.count(&another).unwrap();
        assert!(open.count(&Arc::new(0_u8)).is_err());
    }
}
