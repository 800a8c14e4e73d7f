//! Records names that were accepted in another spelling.

use super::charged::Reader;
use super::path::Path;
use crate::schema::Spellings;

/// Largest number of names reported for one call.
const MOST: usize = 20;

/// A name that was accepted in another spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respelled {
    /// The path of the name or value as given, such as `args.items[3].unitPrice`.
    pub path: String,
    /// The name that was meant.
    pub name: String,
}

impl Reader<'_> {
    /// Returns the name equal to `given`, or else the only one that `given` is another spelling of.
    pub(super) fn one_of<'n>(
        &mut self,
        given: &str,
        names: &[&'n str],
        path: &Path<'_>,
    ) -> Option<&'n str> {
        if let Some(name) = names.iter().find(|name| **name == given) {
            return Some(name);
        }
        let name = names[Spellings::new(names).meant(given)?];
        self.note_spelling(path, name);
        Some(name)
    }

    pub(super) fn note_spelling(&mut self, path: &Path<'_>, name: &str) {
        if self.respelled.len() < MOST {
            self.respelled.push(Respelled {
                path: path.to_string(),
                name: name.to_owned(),
            });
        }
    }
}
