//! Stores native code on disk, and checks it before it is loaded.
//!
//! A `.cwasm` file is wasmtime's ELF image followed by one line of text, the seal:
//!
//! ```text
//! wassette-cwasm-1 <component> <engine> <content> <modified>
//! ```
//!
//! `component` is the digest of the component's bytes, `engine` that of the engine's
//! compatibility, `content` that of the image, each as 64 hexadecimal digits;
//! `modified` is the file's modification time in nanoseconds, as 20 digits. If the
//! file still has that time, it was not written since and is not hashed again:
//! mapping 33 MB takes a millisecond.
//!
//! Code is only loaded if the seal matches and no other user could have written the
//! file. A failed check is a cache miss, never an error.

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

/// The format's name. Change it whenever the seal or its meaning changes.
const FORMAT: &str = "wassette-cwasm-1";
const SEAL_LEN: usize = FORMAT.len() + 3 * (1 + 64) + 1 + 20 + 1;
const CHUNK: usize = 256 << 10;

/// The component and engine that code must have been compiled from and for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The digest of the component's bytes.
    pub component: Digest,
    /// See [`engine_hash`].
    pub engine: Digest,
}

/// Digest of every property of an engine that its code depends on: wasmtime's
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

/// Writes an image and its seal to a file of this user.
pub(super) fn write(file: &mut File, image: &[u8], key: &Key) -> io::Result<()> {
    // Not every filesystem stores times finer than microseconds.
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

/// Why the code on disk was not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Miss {
    #[error("there is none")]
    Absent,
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error(
        "{0} must be a regular file or directory that only this user or root owns and can write to"
    )]
    Foreign(&'static str),
    #[error("it was made from another component")]
    Component,
    #[error("it was made by another version of this program, or for another machine")]
    Engine,
    #[error("it was changed after it was written")]
    Changed,
    #[error("another file replaced it")]
    Replaced,
    #[error("wasmtime refused it: {0:#}")]
    Refused(wasmtime::Error),
}

/// Maps code from disk after checking that this program wrote it for `key`.
pub(super) fn load(engine: &Engine, path: &Path, key: &Key) -> Result<Component, Miss> {
    let checked = check(path, key, Trust::Time)?;
    // SAFETY: `deserialize_file` needs bytes that wasmtime's compiler made and that
    // do not change while they are mapped. `check` verified that this user or root
    // owns the file and its directory, that no other user can write to them, that the
    // seal names this component, this engine and this format, and that the bytes are
    // those that were sealed. This program replaces such files by renaming and never
    // writes to an existing one; a file renamed to this path since the check is code
    // of the same compiler, and is refused below.
    #[allow(unsafe_code, reason = "the only way to load native code")]
    let component = unsafe { Component::deserialize_file(engine, path) };
    if !is_at(&checked, path) {
        return Err(Miss::Replaced);
    }
    component.map_err(Miss::Refused)
}

/// Runs the same checks as [`load`], and hashes the image even if its time matches.
pub(super) fn examine(path: &Path, key: &Key) -> Result<(), Miss> {
    check(path, key, Trust::Nothing).map(drop)
}

/// The proof that a file is unchanged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Time,
    Nothing,
}

/// Checks the code at `path` and returns the file that was checked.
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
    // The path could have been replaced between `symlink_metadata` and `open`.
    if !is_same(&link, &file.metadata()?) {
        return Err(Miss::Replaced);
    }
    check_seal(&file, key, trust)?;
    Ok(file)
}

/// Whether the path still names the open file.
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
    // These systems do not let a mapped or open file be replaced.
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

/// Returns the key, the content's digest and the time in a seal; `None` unless it is written
/// exactly as [`seal`] writes it.
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

        /// Changes one byte.
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
            // With another time in its seal, the file is hashed again and still matches.
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
        // Another file with the same bytes and time.
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
        // Only root can change a file's owner.
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
