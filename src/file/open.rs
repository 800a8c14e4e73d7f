//! Opening files that should be regular but may be anything.
//!
//! Opening a pipe blocks until another process opens the other end, and opening
//! a device can have side effects. So the type is checked before opening, and
//! again after, in case the file was replaced in between; the open itself is
//! nonblocking.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// How to treat a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    Follow,
    Refuse,
}

/// The reason why a file was refused; wrapped in an [`io::Error`].
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("it is not a regular file")]
    NotRegular,
    #[error("it is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("it is not UTF-8 text")]
    NotText,
}

impl Unusable {
    /// Returns the `Unusable` inside an `io::Error`, if any.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Unusable> for io::Error {
    fn from(reason: Unusable) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, reason)
    }
}

/// Opens a regular file for reading without blocking.
///
/// # Errors
///
/// [`Unusable::NotRegular`] for directories, pipes, sockets and devices, and
/// for links with [`Links::Refuse`]; other I/O errors.
pub fn open_regular(path: &Path, links: Links) -> io::Result<File> {
    open_regular_with(path, File::options().read(true), links)
}

/// Like [`open_regular`] with the caller's options. Custom flags are
/// overwritten.
///
/// # Errors
///
/// As for [`open_regular`].
pub fn open_regular_with(path: &Path, options: &mut OpenOptions, links: Links) -> io::Result<File> {
    let named = match links {
        Links::Follow => fs::metadata(path),
        Links::Refuse => fs::symlink_metadata(path),
    };
    match named {
        Ok(found) if !found.is_file() => return Err(Unusable::NotRegular.into()),
        // Opening creates the file or reports the error.
        Ok(_) | Err(_) => {}
    }
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        flags.set(OFlags::NOFOLLOW, links == Links::Refuse);
        options.custom_flags(flags.bits() as i32);
    }
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(Unusable::NotRegular.into()),
    }
}

/// Reads a whole regular file of at most `limit` bytes.
///
/// # Errors
///
/// As for [`open_regular`]; [`Unusable::TooLarge`] beyond `limit` bytes.
pub fn read_regular(path: &Path, limit: u64, links: Links) -> io::Result<Vec<u8>> {
    let file = open_regular(path, links)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(Unusable::TooLarge { limit }.into()),
        false => Ok(bytes),
    }
}

/// Reads a whole regular file of at most `limit` bytes as UTF-8.
///
/// # Errors
///
/// As for [`read_regular`]; [`Unusable::NotText`] if it is not UTF-8.
pub fn read_text(path: &Path, limit: u64, links: Links) -> io::Result<String> {
    let bytes = read_regular(path, limit, links)?;
    String::from_utf8(bytes).map_err(|_| Unusable::NotText.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "1234").unwrap();
        assert_eq!(read_regular(&path, 4, Links::Refuse).unwrap(), b"1234");
        let error = read_regular(&path, 3, Links::Refuse).unwrap_err();
        let reason = Unusable::of(&error);
        assert!(
            matches!(reason, Some(Unusable::TooLarge { limit: 3 })),
            "{error}"
        );
        fs::write(&path, [0xff]).unwrap();
        let error = read_text(&path, 3, Links::Refuse).unwrap_err();
        assert!(matches!(Unusable::of(&error), Some(Unusable::NotText)));
        let absent = read_regular(&dir.path().join("absent"), 3, Links::Follow);
        assert_eq!(absent.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    fn is_refused(path: &Path, links: Links) -> bool {
        let mut appending = File::options();
        appending.append(true).create(true);
        let opened = [
            open_regular(path, links),
            open_regular_with(path, &mut appending, links),
        ];
        opened.into_iter().all(|opened| {
            let error = opened.expect_err("refused");
            matches!(Unusable::of(&error), Some(Unusable::NotRegular))
        })
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, socket) = (dir.path().join("pipe"), dir.path().join("socket"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [dir.path(), &pipe, &socket, Path::new("/dev/zero")] {
            assert!(is_refused(path, Links::Follow), "{}", path.display());
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(path, &link).unwrap();
            assert!(is_refused(&link, Links::Follow), "{}", path.display());
            fs::remove_file(&link).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_where_they_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        open_regular(&link, Links::Follow).unwrap();
        assert!(is_refused(&link, Links::Refuse));
        // A link to nothing creates nothing.
        fs::remove_file(&file).unwrap();
        assert!(is_refused(&link, Links::Refuse));
        assert!(!file.exists());
    }
}
