//! A manifest and the files that it includes.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{In, ManifestError};
use super::read::{Base, Part, directory_of, read};
use super::{Entry, Manifest, Variables};
use crate::policy::Place;
use crate::reference::ComponentId;

/// Most files of one manifest.
const MOST: usize = 64;

/// Reads the files that a manifest includes.
pub trait Files {
    /// Returns the real path of a file, without links, and its text of at most
    /// [`LARGEST`](super::LARGEST) bytes.
    ///
    /// # Errors
    ///
    /// An error of the disk, or `InvalidData` when the file is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<(PathBuf, String)>;
}

/// The location of a manifest that is not on the web.
enum Top {
    /// All included files must be below this file's directory.
    File(PathBuf),
    Web,
}

impl Manifest {
    /// Reads a manifest from the web, in which variables are not expanded and `include` is
    /// refused.
    ///
    /// # Errors
    ///
    /// [`ManifestError`], which names the position and the key.
    pub fn from_web(name: &str, text: &str) -> Result<Self, ManifestError> {
        let variables = Variables::new(&|_| None);
        let mut loading = Loading::new(&NoFiles, &variables);
        loading.take(In { file: name, text }, &Top::Web, &mut Vec::new())?;
        Ok(loading.manifest)
    }
}

/// Reads a manifest and the files that it includes. `path` is the real path of the file, or the
/// path where it would be; `name` is used in messages.
///
/// # Errors
///
/// [`ManifestError`], which names the file, the position and the key.
pub fn load(
    name: &str,
    text: &str,
    path: &Path,
    files: &dyn Files,
    variables: &Variables<'_>,
) -> Result<Manifest, ManifestError> {
    let mut loading = Loading::new(files, variables);
    let file = In { file: name, text };
    loading.top = directory(path);
    loading.take(file, &Top::File(path.to_owned()), &mut Vec::new())?;
    Ok(loading.manifest)
}

struct Loading<'a> {
    files: &'a dyn Files,
    variables: &'a Variables<'a>,
    /// The directory that contains all included files.
    top: PathBuf,
    manifest: Manifest,
    /// The place of each component's first entry.
    named: HashMap<ComponentId, String>,
}

impl<'a> Loading<'a> {
    fn new(files: &'a dyn Files, variables: &'a Variables<'a>) -> Self {
        Loading {
            files,
            variables,
            top: PathBuf::new(),
            manifest: Manifest {
                version: 1,
                ..Manifest::default()
            },
            named: HashMap::new(),
        }
    }

    /// `open` are the files on the chain of includes to this one.
    fn take(
        &mut self,
        file: In<'_>,
        place: &Top,
        open: &mut Vec<PathBuf>,
    ) -> Result<(), ManifestError> {
        let base = match place {
            Top::File(path) => directory_of(path),
            Top::Web => Base::Web,
        };
        let Part { entries, include } = read(file, &base, self.variables)?;
        for (entry, at) in entries {
            self.add(file, entry, at)?;
        }
        if let Top::File(path) = place {
            self.manifest.files.push(path.clone());
            open.push(path.clone());
            for (path, at) in include {
                self.include(file, &path, at, open)?;
            }
            open.pop();
        }
        Ok(())
    }

    fn add(&mut self, file: In<'_>, entry: Entry, at: Place) -> Result<(), ManifestError> {
        if let Some(first) = self.named.get(&entry.id) {
            let problem = format!(
                "two entries have the name `{}`: this one and {first}; give one another `name`",
                entry.id
            );
            return Err(file.wrong(at, problem));
        }
        self.named
            .insert(entry.id.clone(), entry.written.place.clone());
        self.manifest.entries.push(entry);
        Ok(())
    }

    fn include(
        &mut self,
        file: In<'_>,
        path: &Path,
        at: Place,
        open: &mut Vec<PathBuf>,
    ) -> Result<(), ManifestError> {
        if self.manifest.files.len() >= MOST {
            return Err(file.wrong(at, format!("a manifest has at most {MOST} files")));
        }
        let (real, text) = self.files.read(path).map_err(|error| {
            file.wrong(at, format!("`{}` cannot be read: {error}", path.display()))
        })?;
        let shown = real.display();
        if open.contains(&real) {
            let mut way: Vec<_> = open.iter().map(|one| one.display().to_string()).collect();
            way.push(shown.to_string());
            return Err(file.wrong(at, format!("files include each other: {}", way.join(" → "))));
        }
        if self.manifest.files.contains(&real) {
            return Err(file.wrong(at, format!("`{shown}` is included twice")));
        }
        if !real.starts_with(&self.top) {
            let problem = format!(
                "`{shown}` is outside of the manifest's directory `{}`",
                self.top.display()
            );
            return Err(file.wrong(at, problem));
        }
        let included = In {
            file: &shown.to_string(),
            text: &text,
        };
        self.take(included, &Top::File(real.clone()), open)
    }
}

fn directory(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &Path) -> io::Result<(PathBuf, String)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
