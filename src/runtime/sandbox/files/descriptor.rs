//! `wasi:filesystem/types`: resolves paths here; wasmtime-wasi serves open files.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::listing::{Listing, Next};
use super::open::Wish;
use super::quota::{Amount, Counted};
use super::walk::{End, LastLink, walk};
use super::{FilesView, change, errors, metadata, open};
use crate::policy::{Access, Quota};

type Fd = Resource<Descriptor>;

impl FilesView<'_> {
    /// Resolves a path from a directory.
    async fn find(&mut self, fd: &Fd, path: &str, last: LastLink, needed: Access) -> FsResult<End> {
        self.ready(fd).await?;
        let start = self.directory(fd)?;
        Ok(walk(&self.guard(), start, path, last, needed)?)
    }

    async fn name(&mut self, fd: &Fd, path: &str) -> FsResult<End> {
        self.find(fd, path, LastLink::Keep, Access::WRITE).await
    }

    async fn stat_end(
        &mut self,
        fd: &Fd,
        flags: PathFlags,
        path: &str,
    ) -> FsResult<rustix::fs::Stat> {
        let end = self.find(fd, path, last(flags), Access::READ).await?;
        Ok(metadata::look(&self.guard(), &end)?)
    }

    async fn stat_open(&mut self, fd: &Fd) -> FsResult<rustix::fs::Stat> {
        self.ready(fd).await?;
        let stat = match self.table.get(fd)? {
            Descriptor::File(file) => rustix::fs::fstat(&file.file),
            Descriptor::Dir(dir) => {
                let (guard, path) = (self.guard(), self.path(fd)?);
                // Every guest has a descriptor of `/`, but may not always look at it.
                if !guard.is_visible(path) {
                    return Err(guard.deny(path, Access::READ).into());
                }
                rustix::fs::fstat(&dir.dir)
            }
        };
        Ok(stat.map_err(errors::code)?)
    }
}

/// The file that a stream writes to, and the quota of its path.
struct Target {
    file: Arc<std::fs::File>,
    quota: Quota,
}

impl FilesView<'_> {
    /// Returns the size of an open file in bytes.
    fn size(&self, fd: &Fd) -> FsResult<u64> {
        Ok(match self.table.get(fd)? {
            Descriptor::File(file) => {
                let stat = rustix::fs::fstat(&file.file).map_err(errors::code)?;
                metadata::number(stat.st_size)
            }
            Descriptor::Dir(_) => 0,
        })
    }

    fn counted(&self, fd: &Fd) -> FsResult<Target> {
        let Descriptor::File(file) = self.table.get(fd)? else {
            return Err(ErrorCode::BadDescriptor.into());
        };
        Ok(Target {
            file: Arc::clone(&file.file),
            quota: self.files.rules.quota(self.path(fd)?),
        })
    }

    /// Replaces a stream by one that charges its writes to the quota.
    fn count_stream(
        &mut self,
        stream: Resource<DynOutputStream>,
        target: Target,
        at: Option<u64>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let counted = Counted {
            inner: self.table.delete(stream)?,
            file: target.file,
            at,
            furthest: 0,
            usage: Arc::clone(&self.files.usage),
            quota: target.quota,
        };
        let counted: DynOutputStream = Box::new(counted);
        Ok(self.table.push(counted)?)
    }
}

fn last(flags: PathFlags) -> LastLink {
    if flags.contains(PathFlags::SYMLINK_FOLLOW) {
        LastLink::Follow
    } else {
        LastLink::Keep
    }
}

/// Returns the handle of a listing, which the resource table has under our type.
fn listing(stream: &Resource<DirectoryEntryStream>) -> Resource<Listing> {
    Resource::new_borrow(stream.rep())
}

impl Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.wasi().convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi().filesystem_error_code(error)
    }
}

impl HostDescriptor for FilesView<'_> {
    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        let wish = Wish::new(how, flags)?;
        // An exclusive creation fails even on a dangling link.
        let last = if how.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) {
            LastLink::Keep
        } else {
            last(path_flags)
        };
        let end = self.find(&fd, &path, last, wish.access).await?;
        let opened = open::open(&self.guard(), &end, wish)?;
        self.push(opened)
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        Ok(metadata::describe(&self.stat_end(&fd, flags, &path).await?))
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        Ok(metadata::hash(&self.stat_end(&fd, flags, &path).await?))
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        Ok(metadata::describe(&self.stat_open(&fd).await?))
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        Ok(metadata::hash(&self.stat_open(&fd).await?))
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        let end = self.find(&fd, &path, LastLink::Keep, Access::READ).await?;
        Ok(change::read_link(&self.guard(), &end)?)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let end = self.name(&fd, &path).await?;
        Ok(change::create_directory(&self.guard(), &end)?)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let end = self.name(&fd, &path).await?;
        Ok(change::remove_directory(&self.guard(), &end)?)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let end = self.name(&fd, &path).await?;
        Ok(change::unlink(&self.guard(), &end)?)
    }

    async fn rename_at(&mut self, fd: Fd, old: String, new_fd: Fd, new: String) -> FsResult<()> {
        let from = self.name(&fd, &old).await?;
        let to = self.name(&new_fd, &new).await?;
        Ok(change::rename(&self.guard(), &from, &to)?)
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        old: String,
        new_fd: Fd,
        new: String,
    ) -> FsResult<()> {
        if flags.contains(PathFlags::SYMLINK_FOLLOW) {
            return Err(ErrorCode::Invalid.into());
        }
        let from = self.name(&fd, &old).await?;
        let to = self.name(&new_fd, &new).await?;
        Ok(change::link(&self.guard(), &from, &to)?)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        let end = self.name(&fd, &path).await?;
        Ok(change::symlink(&self.guard(), &target, &end)?)
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let end = self.find(&fd, &path, last(flags), Access::WRITE).await?;
        Ok(change::set_times(&self.guard(), &end, accessed, modified)?)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        self.ready(&fd).await?;
        let listing = Listing::new(&self.guard(), self.directory(&fd)?)?;
        self.open.count(&listing.counted)?;
        let listing = self.table.push(listing)?;
        Ok(Resource::new_own(listing.rep()))
    }

    async fn advise(
        &mut self,
        fd: Fd,
        from: Filesize,
        len: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        self.ready(&fd).await?;
        self.wasi().advise(fd, from, len, advice).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.ready(&fd).await?;
        self.wasi().sync_data(fd).await
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.ready(&fd).await?;
        self.wasi().sync(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.ready(&fd).await?;
        self.wasi().get_flags(fd).await
    }

    /// Does not open the directory: the adapter for WASI 0.1 traps if one of its
    /// preopened directories has no type, and the directory may not exist.
    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        if matches!(self.table.get(&fd)?, Descriptor::Dir(_)) {
            return Ok(DescriptorType::Directory);
        }
        self.ready(&fd).await?;
        self.wasi().get_type(fd).await
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        self.ready(&fd).await?;
        self.require_write(&fd)?;
        let old = self.size(&fd)?;
        let path = self.path(&fd)?.to_path_buf();
        let more = Amount::bytes(size.saturating_sub(old));
        self.guard().charge(&path, more)?;
        let set = self.wasi().set_size(fd, size).await;
        let less = match &set {
            Ok(()) => Amount::bytes(old.saturating_sub(size)),
            Err(_) => more,
        };
        self.guard().give_back(&path, less);
        set
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.ready(&fd).await?;
        self.require_write(&fd)?;
        self.wasi().set_times(fd, accessed, modified).await
    }

    async fn read(&mut self, fd: Fd, len: Filesize, from: Filesize) -> FsResult<(Vec<u8>, bool)> {
        self.ready(&fd).await?;
        self.wasi().read(fd, len, from).await
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, at: Filesize) -> FsResult<Filesize> {
        self.ready(&fd).await?;
        self.require_write(&fd)?;
        let end = at.saturating_add(bytes.len() as u64);
        let growth = end.saturating_sub(self.size(&fd)?);
        let path = self.path(&fd)?;
        self.guard().charge(path, Amount::bytes(growth))?;
        self.wasi().write(fd, bytes, at).await
    }

    // These only make a stream and touch no disk.

    fn read_via_stream(&mut self, fd: Fd, from: Filesize) -> FsResult<Resource<DynInputStream>> {
        self.wasi().read_via_stream(fd, from)
    }

    fn write_via_stream(&mut self, fd: Fd, at: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.require_write(&fd)?;
        let counted = self.counted(&fd)?;
        let stream = self.wasi().write_via_stream(fd, at)?;
        self.count_stream(stream, counted, Some(at))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.require_write(&fd)?;
        let counted = self.counted(&fd)?;
        let stream = self.wasi().append_via_stream(fd)?;
        self.count_stream(stream, counted, None)
    }

    async fn is_same_object(&mut self, one: Fd, other: Fd) -> wasmtime::Result<bool> {
        for fd in [&one, &other] {
            if self.ready(fd).await.is_err() {
                return Ok(false);
            }
        }
        self.wasi().is_same_object(one, other).await
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.open.forget(fd.rep());
        HostDescriptor::drop(&mut self.wasi(), fd)
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.leave_the_caller().await;
        let guard = self.guard();
        let listing = self.table.get_mut(&listing(&stream))?;
        loop {
            match listing.next(&guard)? {
                Next::Entry(entry) => return Ok(Some(entry)),
                Next::End => return Ok(None),
                // Yields, so that a call that takes too long can be stopped.
                Next::Hidden => tokio::task::yield_now().await,
            }
        }
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table
            .delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
    }
}
