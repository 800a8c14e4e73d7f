//! The one component in a tar archive.
//!
//! Nothing is ever written by an entry's name. Names that lead elsewhere are
//! refused all the same, and so are links: who made them meant something else
//! than a component.

use std::io::Read;

use ::tar::{Archive, Entry, EntryType, PaxExtensions};

use super::{UnpackError, copy, unreadable};
use crate::fetch::sink::{StagedFile, Stopped};

/// Images with a single component hold a few.
const MAX_ENTRIES: usize = 4096;
/// Names and attributes longer than this are no one's, in bytes.
const MAX_EXTENSION: u64 = 64 * 1024;

/// Copies the only `.wasm` file of the archive to a file made by `create`.
pub(super) fn only_component<R: Read>(
    archive: &mut R,
    create: impl Fn() -> Result<StagedFile, Stopped>,
) -> Result<StagedFile, Stopped> {
    let mut archive = Archive::new(archive);
    // Raw: the reader would keep a long name in memory whatever its length.
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

/// What an entry says about the next one: its long name, or nothing of
/// interest. None where the entry stands for itself.
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
            // Would make two readers see two different archives.
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

/// By name alone; the first bytes are looked at when they are written.
fn is_component(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    // Layers mark removed files with this prefix.
    !file.starts_with(".wh.")
        && file
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("wasm"))
}

fn refused(error: UnpackError) -> Stopped {
    Stopped::Content(error.into())
}
