//! Resolves a path from an open directory, one real directory at a time.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::errors::{Result, code};
use super::guard::Guard;
use crate::policy::Access;

/// Most symbolic links in one path, as on Linux.
const LINKS: usize = 40;
/// Longest path in bytes, both the guest's and the real one.
const LONGEST: usize = 4096;
/// Most directories open at once during a walk.
const DEEPEST: usize = 256;

/// Flags for a directory that is only passed through, or in which a name is looked
/// up.
const STEP: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(PATH_ONLY);
/// `PATH` opens directories that may be passed through but not read.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const PATH_ONLY: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const PATH_ONLY: OFlags = OFlags::RDONLY;

/// An open directory and its real path.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    pub handle: Arc<File>,
    pub path: PathBuf,
}

impl Directory {
    /// Returns the root of the filesystem. Never waits for a hanging disk.
    pub fn root() -> Result<Self> {
        let root = rustix::fs::open("/", STEP, Mode::empty()).map_err(code)?;
        Ok(Directory {
            handle: Arc::new(root.into()),
            path: PathBuf::from("/"),
        })
    }
}

/// The end of a path.
#[derive(Debug)]
pub(super) struct End {
    pub directory: Directory,
    /// A single name in it, which may not exist; `None` for the directory itself.
    pub name: Option<OsString>,
    pub kind: Kind,
}

impl End {
    /// Returns the real path.
    pub fn path(&self) -> PathBuf {
        match &self.name {
            Some(name) => self.directory.path.join(name),
            None => self.directory.path.clone(),
        }
    }
}

/// The kind of entry that the form of a path requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    /// The path ended in a slash.
    Directory,
}

/// The treatment of a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastLink {
    Follow,
    /// The operation is on the link itself.
    Keep,
}

/// Resolves `path` from `start`. Looks only at paths that are granted or lead to a
/// grant; others are denied, and recorded as a denial of `needed`.
pub(super) fn walk(
    guard: &Guard<'_>,
    start: Directory,
    path: &str,
    last: LastLink,
    needed: Access,
) -> Result<End> {
    if path.is_empty() {
        return Err(ErrorCode::NoEntry);
    }
    if path.contains('\0') {
        return Err(ErrorCode::Invalid);
    }
    if path.len() > LONGEST {
        return Err(ErrorCode::NameTooLong);
    }
    let mut walk = Walk {
        guard,
        needed,
        path: start.path,
        handles: vec![start.handle],
        ahead: Vec::new(),
        links: 0,
        kind: Kind::Any,
    };
    walk.put_ahead(OsStr::new(path))?;
    walk.run(last)
}

struct Walk<'a> {
    guard: &'a Guard<'a>,
    needed: Access,
    /// The real path reached so far.
    path: PathBuf,
    /// The current directory, last, and those it was reached through.
    handles: Vec<Arc<File>>,
    /// The names still to resolve, the next one last.
    ahead: Vec<OsString>,
    links: usize,
    kind: Kind,
}

impl Walk<'_> {
    fn run(mut self, last: LastLink) -> Result<End> {
        while let Some(name) = self.ahead.pop() {
            if name == ".." {
                self.up()?;
            } else if let Some(name) = self.step(name, last)? {
                self.see(&name)?;
                return Ok(self.end(Some(name)));
            }
        }
        if !self.guard.is_visible(&self.path) {
            return Err(self.guard.deny(&self.path, self.needed));
        }
        Ok(self.end(None))
    }

    /// Refuses a name that is another hard link to a file of the server.
    fn see(&self, name: &OsStr) -> Result<()> {
        let here = &self.handles[self.handles.len() - 1];
        match statat(here, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let path = self.path.join(name);
                self.guard.refuse_own_stat(&stat, &path, self.needed)
            }
            // A missing name is no file of the server, and an unreadable one cannot
            // be opened.
            Err(_) => Ok(()),
        }
    }

    fn end(mut self, name: Option<OsString>) -> End {
        End {
            directory: Directory {
                handle: self.handles.swap_remove(self.handles.len() - 1),
                path: self.path,
            },
            name,
            kind: self.kind,
        }
    }

    /// Resolves one name; returns it if the path ends with it.
    fn step(&mut self, name: OsString, last: LastLink) -> Result<Option<OsString>> {
        let path = self.path.join(&name);
        if path.as_os_str().len() > LONGEST || self.handles.len() > DEEPEST {
            return Err(ErrorCode::NameTooLong);
        }
        if !self.guard.is_visible(&path) {
            return Err(self.guard.deny(&self.asked(path), self.needed));
        }
        let is_last = self.ahead.is_empty();
        if is_last && last == LastLink::Keep && self.kind == Kind::Any {
            return Ok(Some(name));
        }
        let here = &self.handles[self.handles.len() - 1];
        if !is_last {
            match openat(here, &name, STEP, Mode::empty()) {
                Ok(next) => {
                    self.guard.refuse_own(&next, &path, self.needed)?;
                    self.handles.push(Arc::new(next.into()));
                    self.path = path;
                    return Ok(None);
                }
                // Systems differ in the error for opening a link.
                Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {}
                Err(errno) => return Err(code(errno)),
            }
        }
        match readlinkat(here, &name, Vec::new()) {
            Ok(target) => self.follow(OsString::from_vec(target.into_bytes()))?,
            Err(Errno::INVAL) if !is_last => return Err(ErrorCode::NotDirectory),
            // Not a link, or a missing name, which the operation may create.
            Err(Errno::INVAL | Errno::NOENT) if is_last => return Ok(Some(name)),
            Err(errno) => return Err(code(errno)),
        }
        Ok(None)
    }

    fn follow(&mut self, target: OsString) -> Result<()> {
        self.links += 1;
        if self.links > LINKS {
            return Err(ErrorCode::Loop);
        }
        self.put_ahead(&target)
    }

    /// Puts the names of a path before those still to resolve.
    fn put_ahead(&mut self, path: &OsStr) -> Result<()> {
        let bytes = path.as_bytes();
        if bytes.first() == Some(&b'/') {
            self.go_to_root()?;
        }
        let is_whole = self.ahead.is_empty();
        if is_whole && (bytes.ends_with(b"/") || bytes.ends_with(b"/.")) {
            self.kind = Kind::Directory;
        }
        let names = bytes.split(|byte| *byte == b'/');
        let names = names.filter(|name| !name.is_empty() && *name != b".");
        let names = names.rev().map(|name| OsStr::from_bytes(name).to_owned());
        self.ahead.extend(names);
        Ok(())
    }

    /// Goes to the parent directory. Above the start of the walk, the parent is
    /// resolved again from the root, because the open directory may have been moved.
    fn up(&mut self) -> Result<()> {
        if self.handles.len() > 1 {
            self.handles.pop();
            self.path.pop();
            return Ok(());
        }
        if let Some(parent) = self.path.parent().map(Path::to_path_buf) {
            self.put_ahead(parent.as_os_str())?;
        }
        Ok(())
    }

    fn go_to_root(&mut self) -> Result<()> {
        let root = Directory::root()?;
        self.handles = vec![root.handle];
        self.path = root.path;
        Ok(())
    }

    /// Returns the path that a denial names: with the remaining names, if none is `..` or `/`.
    fn asked(&self, denied: PathBuf) -> PathBuf {
        let plain = |name: &&OsString| {
            matches!(
                Path::new(name).components().next(),
                Some(Component::Normal(_))
            )
        };
        let rest = self.ahead.iter().rev();
        if rest.clone().all(|name| plain(&name)) {
            rest.fold(denied, |path, name| path.join(name))
        } else {
            denied
        }
    }
}
