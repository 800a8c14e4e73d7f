//! A list that may be written as a single value.

use std::path::PathBuf;

use serde::Deserialize;

/// One file or a list of files.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a file or a list of files")]
pub(super) enum OneOrMore {
    One(PathBuf),
    More(Vec<PathBuf>),
}

impl From<OneOrMore> for Vec<PathBuf> {
    fn from(files: OneOrMore) -> Self {
        match files {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        }
    }
}
