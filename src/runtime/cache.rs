//! Native code on disk, and the one place that trusts it.
//!
//! A `.cwasm` file is wasmtime's ELF image followed by one line of text, the
//! seal:
//!
//! ```text
//! wassette-cwasm-1 <component> <engine> <content> <modified>
//! ```
//!
//! `component` is the digest of the component's bytes, `engine` that of the
//! engine's compatibility, `content` that of the image, each 64 hexadecimal
//! digits; `modified` is the file's own modification time in nanoseconds,
//! 20 digits. A file whose time is that of its seal was not written since and
//! is not hashed again: 33 MB are mapped in a millisecond.
//!
//! Code is only loaded if the seal fits and the file could not have been
//! written by another user. A failed check is a miss, never an error.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::{Digest, Expected, Verifier};
use crate::file::{Links, open_regular};
use crate::store::ours_alone;

/// Names the format; a change to the seal or to what it stands for raises it.
const FORMAT: &str = "wassette-cwasm-1";
const SEAL_LEN: usize = FORMAT.len() + 3 * (1 + 64) + 1 + 20 + 1;
const CHUNK: usize = 256 << 10;

/// What code must have been made from to be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Of the component's bytes.
    pub component: Digest,
    /// See [`engine_hash`].
    pub engine: Digest,
}

/// Digest of everything about an engine that its code depends on: wasmtime's
/// version, the compiler, its flags, the CPU's features.
pub(super) fn engine_hash(engine: &Engine) -> Digest {
    struct Collect(Vec<u8>);
    impl Hasher for Collect {
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut collect = Collect(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut collect);
    Digest::of(&collect.0)
}

/// Writes an image and its seal, for its owner alone.
pub(super) fn write(file: &mut File, image: &[u8], key: &Key) -> io::Result<()> {
    // Microseconds: finer parts do not survive every filesystem.
    let micros = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64);
    let modified = Duration::from_micros(micros);
    file.write_all(image)?;
    file.write_all(seal(key, &Digest::of(image), modified.as_nanos()).as_bytes())?;
    file.set_modified(UNIX_EPOCH + modified)
}

fn seal(key: &Key, content: &Digest, modified_ns: u128) -> String {
    format!(
        "{FORMAT} {} {} {} {modified_ns:020}\n",
        key.component.hex(),
        key.engine.hex(),
        content.hex(),
    )
}

/// Why code on disk was not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Miss {
    #[error("there is none")]
    Absent,
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error(
        "{0} is not a plain file or directory of this user's or root's, writable by no one else"
    )]
    Foreign(&'static str),
    #[error("it was made from another component")]
    Component,
    #[error("it was made by another version of this program, or for another machine")]
    Engine,
    #[error("it was changed after it was written")]
    Changed,
    #[error("another file took its place")]
    Replaced,
    #[error("wasmtime refused it: {0:#}")]
    Refused(wasmtime::Error),
}

/// Maps code from disk after checking that this program wrote it, for `key`.
pub(super) fn load(engine: &Engine, path: &Path, key: &Key) -> Result<Component, Miss> {
    let checked = check(path, key, Trust::Time)?;
    // SAFETY: `deserialize_file` needs bytes that wasmtime's compiler made and
    // that stay as they are while mapped. `check` found that the file and its
    // directory belong to this user or root and no one else can write to them,
    // that the seal names this component, this engine and this format, and
    // that the bytes are those that were sealed. This program replaces such
    // files by renaming and never writes to one that exists; what was renamed
    // there since is code of the same compiler, and not used.
    #[allow(unsafe_code, reason = "the only way to load native code")]
    let component = unsafe { Component::deserialize_file(engine, path) };
    if !is_at(&checked, path) {
        return Err(Miss::Replaced);
    }
    component.map_err(Miss::Refused)
}

/// Checks code as [`load`] does, and hashes it even if its time is right.
pub(super) fn examine(path: &Path, key: &Key) -> Result<(), Miss> {
    check(path, key, Trust::Nothing).map(drop)
}

/// What is taken for a sign that a file was not changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Time,
    Nothing,
}

/// The file that was checked.
fn check(path: &Path, key: &Key, trust: Trust) -> Result<File, Miss> {
    let link = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Miss::Absent),
        link => link?,
    };
    if !link.is_file() || !ours_alone(&link) {
        return Err(Miss::Foreign("the file"));
    }
    let directory = fs::metadata(path.parent().unwrap_or(path))?;
    if !directory.is_dir() || !ours_alone(&directory) {
        return Err(Miss::Foreign("its directory"));
    }
    let file = open_regular(path, Links::Refuse)?;
    // Between the two another could have been put there.
    if !is_same(&link, &file.metadata()?) {
        return Err(Miss::Replaced);
    }
    check_seal(&file, key, trust)?;
    Ok(file)
}

/// Whether the path still leads to the open file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => is_same(&open, &there),
        _ => false,
    }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    // A mapped or open file cannot be replaced there.
    true
}

fn check_seal(mut file: &File, key: &Key, trust: Trust) -> Result<(), Miss> {
    let metadata = file.metadata()?;
    let Some(image_len) = metadata.len().checked_sub(SEAL_LEN as u64) else {
        return Err(Miss::Changed);
    };
    let mut found = [0; SEAL_LEN];
    file.seek(SeekFrom::Start(image_len))?;
    file.read_exact(&mut found)?;

    let Some((made_from, content, modified_ns)) = parse(&found) else {
        return Err(Miss::Changed);
    };
    if made_from.component != key.component {
        return Err(Miss::Component);
    }
    if made_from.engine != key.engine {
        return Err(Miss::Engine);
    }
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
    let untouched = modified.is_ok_and(|since| since.as_nanos() == modified_ns);
    if untouched && trust == Trust::Time {
        return Ok(());
    }
    file.seek(SeekFrom::Start(0))?;
    if digest(file.take(image_len))? == content {
        Ok(())
    } else {
        Err(Miss::Changed)
    }
}

/// The key, the content's digest and the time of a seal; `None` if it is not
/// written exactly as [`seal`] writes it.
fn parse(found: &[u8]) -> Option<(Key, Digest, u128)> {
    let mut words = str::from_utf8(found).ok()?.trim_end().split(' ').skip(1);
    let mut digest = || format!("sha256:{}", words.next()?).parse().ok();
    let key = Key {
        component: digest()?,
        engine: digest()?,
    };
    let content = digest()?;
    let modified_ns = words.next()?.parse().ok()?;
    let written = seal(&key, &content, modified_ns);
    (written.as_bytes() == found).then_some((key, content, modified_ns))
}

fn digest(mut bytes: impl Read) -> io::Result<Digest> {
    let mut verifier = Verifier::new(Expected::default());
    let mut chunk = vec![0; CHUNK];
    loop {
        match bytes.read(&mut chunk)? {
            0 => break,
            n => verifier.update(&chunk[..n]).map_err(io::Error::other)?,
        }
    }
    let (digest, _) = verifier.finish().map_err(io::Error::other)?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::engine::{Tier, compiling};

    struct Sealed {
        directory: tempfile::TempDir,
        key: Key,
    }

    impl Sealed {
        fn new() -> Self {
            let key = Key {
                component: Digest::of(b"component"),
                engine: Digest::of(b"engine"),
            };
            let directory = tempfile::tempdir().unwrap();
            let sealed = Sealed { directory, key };
            let mut file = File::create(sealed.path()).unwrap();
            write(&mut file, b"image", &key).unwrap();
            sealed
        }

        fn path(&self) -> std::path::PathBuf {
            self.directory.path().join("a.cwasm")
        }

        fn check(&self) -> Result<(), Miss> {
            check(&self.path(), &self.key, Trust::Time).map(drop)
        }

        /// Overwrites one byte and, like a failing disk, leaves the time alone or not.
        fn flip(&self, at: usize) {
            let mut bytes = fs::read(self.path()).unwrap();
            bytes[at] ^= 1;
            fs::write(self.path(), bytes).unwrap();
        }
    }

    #[test]
    fn what_was_sealed_is_found() {
        assert!(Sealed::new().check().is_ok());
    }

    #[test]
    fn a_forged_time_hides_a_change_from_a_load_but_not_from_an_examination() {
        let sealed = Sealed::new();
        let time = fs::metadata(sealed.path()).unwrap().modified().unwrap();
        sealed.flip(0);
        let file = File::options().write(true).open(sealed.path()).unwrap();
        file.set_modified(time).unwrap();
        assert!(sealed.check().is_ok());
        let examined = examine(&sealed.path(), &sealed.key);
        assert!(matches!(examined, Err(Miss::Changed)));
    }

    #[test]
    fn a_copy_is_hashed_and_found() {
        let sealed = Sealed::new();
        let bytes = fs::read(sealed.path()).unwrap();
        fs::write(sealed.path(), bytes).unwrap();
        assert!(sealed.check().is_ok());
    }

    #[test]
    fn every_flipped_bit_is_a_miss() {
        for at in 0..b"image".len() + SEAL_LEN {
            let sealed = Sealed::new();
            sealed.flip(at);
            // A seal with another time is still a seal of the same content.
            let time = b"image".len() + SEAL_LEN - 21;
            if !(time..time + 20).contains(&at) {
                assert!(sealed.check().is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn cut_and_empty_files_are_misses() {
        let sealed = Sealed::new();
        let bytes = fs::read(sealed.path()).unwrap();
        for len in [0, 1, SEAL_LEN - 1, bytes.len() - 1] {
            fs::write(sealed.path(), &bytes[..len]).unwrap();
            assert!(sealed.check().is_err(), "{len} bytes");
        }
        fs::remove_file(sealed.path()).unwrap();
        assert!(matches!(sealed.check(), Err(Miss::Absent)));
    }

    #[test]
    fn other_keys_are_misses() {
        let mut sealed = Sealed::new();
        sealed.key.component = Digest::of(b"another component");
        assert!(matches!(sealed.check(), Err(Miss::Component)));
        let mut sealed = Sealed::new();
        sealed.key.engine = Digest::of(b"another engine");
        assert!(matches!(sealed.check(), Err(Miss::Engine)));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_took_the_place_of_the_checked_one_is_told_from_it() {
        let sealed = Sealed::new();
        let checked = check(&sealed.path(), &sealed.key, Trust::Time).unwrap();
        assert!(is_at(&checked, &sealed.path()));
        // Of the same bytes and time: only the file is another.
        let other = sealed.directory.path().join("other");
        fs::copy(sealed.path(), &other).unwrap();
        fs::rename(&other, sealed.path()).unwrap();
        assert!(!is_at(&checked, &sealed.path()));
        fs::remove_file(sealed.path()).unwrap();
        assert!(!is_at(&checked, &sealed.path()));
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_write_is_a_miss() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let sealed = Sealed::new();
        for mode in [0o602, 0o620, 0o666] {
            set(&sealed.path(), mode);
            assert!(matches!(sealed.check(), Err(Miss::Foreign(_))), "{mode:o}");
        }
        set(&sealed.path(), 0o644);
        for mode in [0o720, 0o702, 0o1777] {
            set(sealed.directory.path(), mode);
            assert!(matches!(sealed.check(), Err(Miss::Foreign(_))), "{mode:o}");
        }
        set(sealed.directory.path(), 0o755);
        assert!(sealed.check().is_ok());
        let real = sealed.directory.path().join("real");
        fs::rename(sealed.path(), &real).unwrap();
        symlink(&real, sealed.path()).unwrap();
        assert!(matches!(sealed.check(), Err(Miss::Foreign(_))));
    }

    #[cfg(unix)]
    #[test]
    fn another_users_file_is_a_miss() {
        let sealed = Sealed::new();
        let other = rustix::fs::Uid::from_raw(65534);
        // Only root can give files away.
        if rustix::process::geteuid().is_root() {
            rustix::fs::chown(sealed.path(), Some(other), None).unwrap();
            assert!(matches!(sealed.check(), Err(Miss::Foreign(_))));
        }
    }

    #[test]
    fn a_sealed_file_that_is_no_code_is_refused_by_wasmtime() {
        let sealed = Sealed::new();
        let engine = compiling(Tier::Optimised).unwrap();
        assert!(matches!(
            load(&engine, &sealed.path(), &sealed.key),
            Err(Miss::Refused(_))
        ));
    }
}
