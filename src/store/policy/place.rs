//! Installs the two files of a policy in one step.

use std::fs::{self, DirEntry};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Granted;
use crate::file::{self, create_private};
use crate::store::disk::{self, Exchanged, exchange, is_foreign, ours_alone, sync};
use crate::store::error::StoreError;
use crate::store::layout::ComponentFiles;

/// Replaces the grants of the component at `files` by `granted`. `staged` is the path
/// for a copy of its directory, which must not exist yet.
pub(super) fn place(
    granted: &Granted,
    files: &ComponentFiles,
    staged: &ComponentFiles,
) -> Result<(), StoreError> {
    place_with(granted, files, staged, || {})
}

/// Like [`place`]; calls `last` right before the directories are exchanged.
pub(super) fn place_with(
    granted: &Granted,
    files: &ComponentFiles,
    staged: &ComponentFiles,
    last: impl FnOnce(),
) -> Result<(), StoreError> {
    let failed = || StoreError::io("change the policy in", &files.dir);
    if copy(files, staged).map_err(failed())? == Copied::Nothing {
        return one_by_one(granted, files, staged).map_err(failed());
    }
    write(granted, staged).map_err(failed())?;
    sync(&staged.dir)?;
    last();
    match exchange(&staged.dir, &files.dir).map_err(failed())? {
        Exchanged::Yes => {
            // From here on `staged` is the old directory.
            follow_code(staged, files);
            Ok(())
        }
        Exchanged::No => one_by_one(granted, files, staged).map_err(failed()),
    }
}

/// Moves code along that a compiler wrote to the directory after it was copied. Does nothing
/// without such code, or if both directories have the same file.
pub fn follow_code(replaced: &ComponentFiles, files: &ComponentFiles) {
    let _ = fs::rename(&replaced.cwasm, &files.cwasm);
}

/// Writes these grants to the staged version, and keeps the time of the last call of the installed
/// one.
pub fn give(
    granted: &Granted,
    files: &ComponentFiles,
    staged: &ComponentFiles,
) -> Result<(), StoreError> {
    write(granted, staged).map_err(StoreError::io("write the policy in", &staged.dir))?;
    match link(&files.used, &staged.used) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        linked => linked.map_err(StoreError::io("keep", &files.used))?,
    }
    sync(&staged.dir)
}

/// Carries the policy and the time of the last call over to the staged version, except files that
/// another user could have written.
pub fn carry(files: &ComponentFiles, staged: &ComponentFiles) -> Result<(), StoreError> {
    for file in [
        (&files.policy, &staged.policy),
        (&files.policy_record, &staged.policy_record),
        (&files.used, &staged.used),
    ] {
        carry_one(file, &files.dir)?;
    }
    sync(&staged.dir)
}

/// Carries one file over, if it exists and no other user could have written it.
pub fn carry_one((from, to): (&PathBuf, &PathBuf), dir: &Path) -> Result<(), StoreError> {
    let dir = fs::metadata(dir).map_err(StoreError::io("read", dir))?;
    let foreign = |file: &fs::Metadata| !ours_alone(&dir) || is_foreign(file, &dir);
    if fs::metadata(from).is_ok_and(|file| foreign(&file)) {
        tracing::warn!(
            "`{}` is not kept: another user could have written it",
            from.display()
        );
        return Ok(());
    }
    match link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        carried => carried.map_err(StoreError::io("keep", from)),
    }
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

#[derive(PartialEq, Eq)]
enum Copied {
    All,
    /// The directory has entries that cannot be hard-linked.
    Nothing,
}

/// Hard-links everything but the policy into a new directory.
fn copy(files: &ComponentFiles, staged: &ComponentFiles) -> io::Result<Copied> {
    create_private(&staged.dir)?;
    for entry in fs::read_dir(&files.dir)? {
        let entry = entry?;
        if !is_kept(&entry, files) {
            continue;
        }
        if !entry.file_type()?.is_file() {
            return Ok(Copied::Nothing);
        }
        match fs::hard_link(entry.path(), staged.dir.join(entry.file_name())) {
            Ok(()) => {}
            // Another process renamed this file onto its final name, which the loop
            // links, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return Ok(Copied::Nothing),
        }
    }
    Ok(Copied::All)
}

/// Whether a file is linked: all are, except the policy, which is written again, and unfinished
/// files of other writers, whose names begin with a dot.
fn is_kept(entry: &DirEntry, files: &ComponentFiles) -> bool {
    let name = entry.file_name();
    let hidden = name.as_encoded_bytes().starts_with(b".");
    let policy = [&files.policy, &files.policy_record];
    !hidden && !policy.iter().any(|path| path.file_name() == Some(&name))
}

/// Writes both files, or neither when nothing is granted.
fn write(granted: &Granted, staged: &ComponentFiles) -> io::Result<()> {
    if *granted == Granted::default() {
        return Ok(());
    }
    for (path, text) in texts(granted, staged) {
        write_private(path, &text)?;
    }
    Ok(())
}

/// Writes a new file that only its owner can read.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = private().create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// For filesystems that cannot exchange directories: replaces one file after the other. The policy
/// is written last and removed first, so that a crash never leaves a grant without a record.
fn one_by_one(
    granted: &Granted,
    files: &ComponentFiles,
    staged: &ComponentFiles,
) -> io::Result<()> {
    if *granted == Granted::default() {
        disk::remove_file(&files.policy)?;
        disk::remove_file(&files.policy_record)?;
        return file::sync(&files.dir);
    }
    for (path, text) in texts(granted, files).into_iter().rev() {
        let mut file = tempfile::NamedTempFile::new_in(&staged.dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
    }
    file::sync(&files.dir)
}

fn texts<'a>(granted: &Granted, files: &'a ComponentFiles) -> [(&'a Path, String); 2] {
    [
        (&*files.policy, granted.policy.to_yaml()),
        (&*files.policy_record, granted.record.to_json()),
    ]
}

/// Creates files that only their owner can read, since a policy may contain values.
fn private() -> fs::OpenOptions {
    let mut options = fs::File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
