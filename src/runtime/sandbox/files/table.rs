//! The files and directories that one guest has open.

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

/// Most files, directories and streams that one guest may have open: the system's
/// limit is for the whole server.
const OPEN: usize = 256;

/// Guests run on threads of their own, which they may block.
const ALLOW_BLOCKING: bool = true;

#[derive(Default)]
pub(in crate::runtime::sandbox) struct OpenFiles {
    /// Empty; wasmtime-wasi's functions require one.
    pub(super) wasi: WasiFilesystemCtx,
    /// Paths and states, by the descriptor's index in the resource table.
    nodes: HashMap<u32, Node>,
    /// Everything that was opened; a stream may outlive its descriptor.
    handles: Vec<Weak<dyn Any + Send + Sync>>,
    thread: Thread,
}

/// The path and state of a descriptor.
struct Node {
    /// Its real path.
    path: PathBuf,
    state: State,
}

enum State {
    Open,
    /// A root, by index, which is opened at first use.
    Waiting(usize),
}

/// The thread that the guest runs on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    /// Maybe the caller's, which must not be blocked.
    #[default]
    Unknown,
    /// A guest thread, which may be blocked.
    Guests,
}

impl OpenFiles {
    /// Counts a handle as open until its last clone is dropped.
    ///
    /// # Errors
    ///
    /// When the guest has too many files open.
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
    /// Must be awaited before anything that may block. A call starts on its caller's
    /// thread and moves to a guest thread when it first yields.
    pub(super) async fn leave_the_caller(&mut self) {
        if self.open.thread == Thread::Unknown {
            self.open.thread = Thread::Guests;
            tokio::task::yield_now().await;
        }
    }

    /// Must be awaited before a descriptor is used.
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

    /// Returns the directory of a descriptor that is [`ready`](Self::ready).
    pub(super) fn directory(&self, fd: &Resource<Descriptor>) -> FsResult<Directory> {
        match self.table.get(fd)? {
            Descriptor::Dir(dir) => Ok(Directory {
                handle: Arc::clone(&dir.dir),
                path: self.path(fd)?.to_path_buf(),
            }),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Returns the real path of a descriptor.
    pub(super) fn path(&self, fd: &Resource<Descriptor>) -> Result<&Path> {
        let node = self.open.nodes.get(&fd.rep());
        Ok(&node.ok_or(ErrorCode::BadDescriptor)?.path)
    }

    /// # Errors
    ///
    /// `not-permitted`, recorded as a denial, when the descriptor may not be written
    /// to.
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

    /// Gives the guest a descriptor of an opened file or directory.
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

    /// Returns a descriptor of a root that is opened at first use; does not block.
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
    // A directory that only leads to grants may have something writable in it.
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
