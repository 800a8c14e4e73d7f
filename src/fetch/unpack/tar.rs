//! Extracts the only component of a tar archive.
//!
//! Names of entries are never used as paths. Links and names that lead out of
//! the archive are rejected all the same: an archive with them was not made for
//! a component.

use std::io::Read;

use ::tar::{Archive, Entry, EntryType, PaxExtensions};

use super::{UnpackError, copy, unreadable};
use crate::fetch::sink::{StagedFile, Stopped};

/// Most entries of an archive. An image with one component has a few.
const MAX_ENTRIES: usize = 4096;
/// Largest long name or PAX header, in bytes. Real ones are far shorter.
const MAX_EXTENSION: u64 = 64 * 1024;

/// Copies the only `.wasm` file of the archive to a file made by `create`.
pub(super) fn only_component<R: Read>(
    archive: &mut R,
    create: impl Fn() -> Result<StagedFile, Stopped>,
) -> Result<StagedFile, Stopped> {
    let mut archive = Archive::new(archive);
    // `raw`, because the reader would otherwise keep a long name of any size in
    // memory.
    let entries = archive.entries().map_err(unreadable)?.raw(true);
    let mut found = None;
    let mut long_name = None;
    for (count, entry) in entries.enumerate() {
        let mut entry = entry.map_err(unreadable)?;
        if count >= MAX_ENTRIES {
            return Err(refused(UnpackError::Entries { limit: MAX_ENTRIES }));
        }
        let kind = entry.header().entry_type();
        if let Some(name) = extension(&mut entry, kind)? {
            long_name = name.or(long_name);
            continue;
        }
        let name = long_name
            .take()
            .unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = String::from_utf8_lossy(&name).into_owned();
        check(&name, kind)?;
        if kind.is_dir() || !is_component(&name) {
            continue;
        }
        if found.is_some() {
            return Err(refused(UnpackError::Several));
        }
        let mut staged = create()?;
        copy(&mut entry, &mut staged)?;
        found = Some(staged);
    }
    found.ok_or_else(|| refused(UnpackError::NoComponent))
}

/// Reads an entry that describes the next one. `None` if the entry is of another kind;
/// `Some(None)` if it has no long name.
fn extension<R: Read>(
    entry: &mut Entry<'_, R>,
    kind: EntryType,
) -> Result<Option<Option<Vec<u8>>>, Stopped> {
    let pax = kind.is_pax_local_extensions() || kind.is_pax_global_extensions();
    if !pax && !kind.is_gnu_longname() {
        return Ok(None);
    }
    if entry.size() > MAX_EXTENSION {
        return Err(refused(UnpackError::Header("a name is too long")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(unreadable)?;
    if !pax {
        let end = bytes.iter().position(|byte| *byte == 0);
        bytes.truncate(end.unwrap_or(bytes.len()));
        return Ok(Some(Some(bytes)));
    }
    let mut name = None;
    for attribute in PaxExtensions::new(&bytes) {
        let attribute = attribute.map_err(unreadable)?;
        match attribute.key_bytes() {
            b"path" => name = Some(attribute.value_bytes().to_vec()),
            // With these, two readers could see different archives.
            b"size" | b"linkpath" => {
                return Err(refused(UnpackError::Header("an attribute overrules it")));
            }
            _ => {}
        }
    }
    Ok(Some(name))
}

fn check(name: &str, kind: EntryType) -> Result<(), Stopped> {
    let place = || name.chars().filter(|c| !c.is_control()).take(200).collect();
    if kind.is_symlink() || kind.is_hard_link() {
        return Err(refused(UnpackError::Link(place())));
    }
    if !(kind.is_file() || kind.is_dir()) {
        return Err(refused(UnpackError::Special(place())));
    }
    let windows_root = name.contains('\\') || name.get(1..2) == Some(":");
    if name.starts_with('/') || windows_root || name.split('/').any(|part| part == "..") {
        return Err(refused(UnpackError::Outside(place())));
    }
    Ok(())
}

/// Whether the name is that of a component. Its first bytes are checked when it
/// is written.
fn is_component(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    // This prefix marks a deleted file (whiteout).
    !file.starts_with(".wh.")
        && file
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("wasm"))
}

fn refused(error: UnpackError) -> Stopped {
    Stopped::Content(error.into())
}
