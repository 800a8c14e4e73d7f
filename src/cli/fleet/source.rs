//! The sources of a manifest and its lock.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use url::Url;

use crate::cli::{Failure, SetupError};
use crate::error::{Class, Diagnose};
use crate::file::{Links, Unusable, read_text};
use crate::install::{Check, Compile, Failures, Order, Surplus, Unreachable, Wanted, content_of};
use crate::manifest::lock::LockError;
use crate::manifest::{
    self, Entry, Files, LARGEST, Lock, Locked, Manifest, ManifestError, Variables,
};
use crate::reference::{ComponentId, Reference};
use crate::service::Service;
use crate::store::Metadata;

/// Largest lock, in bytes.
const LARGEST_LOCK: u64 = 16 << 20;
const STDIN: &str = "standard input";

#[derive(Args)]
pub struct ManifestArgs {
    /// The manifest: a file, an https address (a `#sha256=...` pins it), or `-` for standard input
    #[arg(short, long = "file", value_name = "FILE|URL|-")]
    pub file: String,

    /// The lock [default: wassette.lock beside the manifest]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
}

/// A manifest with its lock.
pub struct Loaded {
    pub manifest: Manifest,
    /// The real path or the address, by which a root knows which manifest installed a component.
    pub identity: Option<String>,
    pub lock: Option<Lock>,
    pub lock_path: Option<PathBuf>,
    /// Whether the manifest's content is confirmed by more than the server that sent it.
    pub pinned: bool,
    /// The argument as given.
    given: String,
}

impl ManifestArgs {
    /// Reads the manifest and, if there is one, the lock.
    pub async fn load(&self, service: &Service) -> Result<Loaded, Failure> {
        let given = self.file.clone();
        let address = web_address(&self.file)?;
        let mut loaded = match address {
            Some(url) => {
                let text = service.manifest_at(&url).await?;
                let reference = Reference::Https(url);
                let name = reference.shown().to_string();
                Loaded {
                    manifest: Manifest::from_web(&name, &text)?,
                    pinned: reference.is_pinned(),
                    identity: Some(without_digest(&reference)),
                    lock: None,
                    lock_path: self.lock.clone(),
                    given,
                }
            }
            None if self.file == "-" => Loaded {
                manifest: self.read_stdin()?,
                identity: None,
                lock: None,
                lock_path: self.lock.clone(),
                pinned: true,
                given,
            },
            None => self.read_file(given)?,
        };
        if let Some(path) = &loaded.lock_path {
            loaded.lock = read_lock(path)?;
        }
        Ok(loaded)
    }

    fn read_stdin(&self) -> Result<Manifest, Failure> {
        let failed = |source| ManifestError::Read {
            file: STDIN.into(),
            source,
        };
        let mut bytes = Vec::new();
        let mut stdin = io::stdin().lock().take(LARGEST + 1);
        stdin.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LARGEST {
            return Err(ManifestError::TooLarge { file: STDIN.into() }.into());
        }
        let text = String::from_utf8(bytes).map_err(|error| failed(io::Error::other(error)))?;
        let directory = std::env::current_dir().and_then(fs::canonicalize);
        let path = directory.map_err(SetupError::Executable)?.join(STDIN);
        Ok(load(STDIN, &text, &path)?)
    }

    fn read_file(&self, given: String) -> Result<Loaded, Failure> {
        let failed = |source: io::Error| match Unusable::of(&source) {
            Some(Unusable::TooLarge { .. }) => ManifestError::TooLarge {
                file: self.file.clone(),
            },
            _ => ManifestError::Read {
                file: self.file.clone(),
                source,
            },
        };
        let (path, text) = Disk.read(Path::new(&self.file)).map_err(failed)?;
        let beside = || path.with_file_name("wassette.lock");
        Ok(Loaded {
            manifest: load(&self.file, &text, &path)?,
            identity: Some(path.display().to_string()),
            lock: None,
            lock_path: Some(self.lock.clone().unwrap_or_else(beside)),
            pinned: true,
            given,
        })
    }
}

fn load(name: &str, text: &str, path: &Path) -> Result<Manifest, ManifestError> {
    let get = |name: &str| std::env::var(name).ok();
    manifest::load(name, text, path, &Disk, &Variables::new(&get))
}

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<(PathBuf, String)> {
        let real = fs::canonicalize(path)?;
        let text = read_text(&real, LARGEST, Links::Refuse)?;
        Ok((real, text))
    }
}

/// The address, if the manifest is on the web.
fn web_address(given: &str) -> Result<Option<Url>, Failure> {
    if !given.starts_with("https://") && !given.starts_with("http://") {
        return Ok(None);
    }
    match given.parse().map_err(crate::service::Error::from)? {
        Reference::Https(url) => Ok(Some(url)),
        Reference::Oci(_) | Reference::File(_) | Reference::Layout(_) | Reference::Package(_) => {
            Ok(None)
        }
    }
}

/// The same address without a pinned digest.
fn without_digest(reference: &Reference) -> String {
    let text = reference.to_string();
    text.split_once('#')
        .map_or(text.clone(), |(address, _)| address.to_owned())
}

fn read_lock(path: &Path) -> Result<Option<Lock>, LockError> {
    let shown = path.display().to_string();
    match read_text(path, LARGEST_LOCK, Links::Follow) {
        Ok(text) => Lock::parse(&shown, &text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LockError::Read {
            path: shown,
            source,
        }),
    }
}

/// Whether the lock must match the manifest exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// New entries of the manifest are resolved and locked.
    MayGrow,
    Exact,
}

impl Loaded {
    /// Refuses a lock that does not match.
    pub fn check_lock(&self, strictness: Strictness) -> Result<(), LockError> {
        let path = || match &self.lock_path {
            Some(path) => path.display().to_string(),
            None => "wassette.lock".into(),
        };
        let renew = || match self.given.as_str() {
            given if given.contains(' ') => format!("wassette lock -f '{given}'"),
            given => format!("wassette lock -f {given}"),
        };
        let Some(lock) = &self.lock else {
            return match strictness {
                Strictness::Exact => Err(LockError::Missing { path: path() }),
                Strictness::MayGrow => Ok(()),
            };
        };
        let standing = lock.compare(&self.manifest.entries);
        if standing.is_of_another() {
            return Err(LockError::OfAnother {
                path: path(),
                renew: renew(),
            });
        }
        let fits = match strictness {
            Strictness::Exact => standing.is_exact(),
            Strictness::MayGrow => standing.changed.is_empty(),
        };
        match fits {
            true => Ok(()),
            false => Err(LockError::Stale {
                path: path(),
                standing,
                renew: renew(),
            }),
        }
    }

    /// The order of the manifest with its lock, with the defaults of most commands.
    pub fn order(&self) -> Order {
        let wanted = self.manifest.entries.iter().map(|entry| {
            let lock = self.lock.as_ref();
            wanted(entry, lock.and_then(|lock| lock.get(&entry.id)).cloned())
        });
        Order {
            wanted: wanted.collect(),
            manifest: self.identity.clone(),
            surplus: Surplus::Stays,
            check: Check::Stamp,
            unreachable: Unreachable::Fails,
            failures: Failures::Stop,
            compile: Compile::Background,
            jobs: 8,
        }
    }

    /// The lock of the installed components; the previous one if nothing changed.
    pub fn lock_of(&self, found: &[Metadata]) -> Lock {
        let entries = self.manifest.entries.iter();
        Lock::new(
            entries
                .filter_map(|entry| {
                    let metadata = found.iter().find(|one| one.component_id == entry.id);
                    match metadata {
                        Some(metadata) => {
                            Some(Locked::new(entry, &content_of(metadata, &entry.tools)))
                        }
                        None => self.lock.as_ref()?.get(&entry.id).cloned(),
                    }
                })
                .collect(),
        )
    }

    /// Writes the lock, if it has a path and has changed.
    pub fn write_lock(&self, lock: &Lock) -> Result<bool, LockError> {
        let Some(path) = &self.lock_path else {
            return Ok(false);
        };
        if self.lock.as_ref() == Some(lock) {
            return Ok(false);
        }
        let write = || {
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let mut builder = tempfile::Builder::new();
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
            let mut file = builder.tempfile_in(directory)?;
            file.write_all(lock.to_text().as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        write().map(|()| true).map_err(|source| LockError::Write {
            path: path.display().to_string(),
            source,
        })
    }
}

/// The component that an entry wants.
pub fn wanted(entry: &Entry, locked: Option<Locked>) -> Wanted {
    Wanted {
        id: entry.id.clone(),
        reference: entry.reference.clone(),
        package: None,
        digest: entry.digest,
        permissions: entry.permissions.clone(),
        trust: entry.trust.clone(),
        tools: entry.tools.clone(),
        retry: entry.retry,
        locked,
    }
}

/// An option needs a manifest in a file.
#[derive(Debug, thiserror::Error)]
#[error("`{option}` needs a manifest in a file")]
pub struct NeedsFile {
    pub option: &'static str,
}

impl Diagnose for NeedsFile {
    fn code(&self) -> &'static str {
        "usage"
    }

    fn class(&self) -> Class {
        Class::Usage
    }
}

/// No entry has this name.
#[derive(Debug, thiserror::Error)]
#[error("The manifest has no component `{name}`")]
pub struct NoEntry {
    pub name: ComponentId,
}

impl Diagnose for NoEntry {
    fn code(&self) -> &'static str {
        "component-not-found"
    }

    fn class(&self) -> Class {
        Class::NotFound
    }
}
