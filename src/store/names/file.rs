//! Reads and writes the record of tool names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Entry, Names};
use crate::file::{Links, read_regular};
use crate::reference::ComponentId;
use crate::schema::NameLength;
use crate::store::Layout;
use crate::store::disk::{is_foreign, sync};
use crate::store::error::StoreError;

/// Raised when a reader of the previous version would misread the file.
const FORMAT: u32 = 1;
/// Largest accepted record, in bytes.
const LARGEST: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    names: BTreeMap<String, Entry>,
}

impl Names {
    /// Reads the record of a root; `builtin` names are never given to tools. A record that is
    /// missing, damaged or possibly written by another user counts as empty.
    pub(in crate::store) fn read(
        layout: &Layout,
        builtin: &HashSet<String>,
        length: NameLength,
    ) -> Self {
        let path = layout.names();
        let entries = match read(&path, layout.root()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                let path = path.display();
                tracing::warn!("ignoring `{path}`, so the tools get new names: {error}");
                BTreeMap::new()
            }
        };
        let mut by_component: HashMap<ComponentId, BTreeSet<String>> = HashMap::new();
        for (name, entry) in &entries {
            let names = by_component.entry(entry.component.clone()).or_default();
            names.insert(name.clone());
        }
        Names {
            entries,
            by_component,
            builtin: builtin.clone(),
            length,
            rules: HashMap::new(),
            faults: HashMap::new(),
        }
    }

    /// Replaces the record in one rename.
    pub(in crate::store) fn write(&self, layout: &Layout) -> Result<(), StoreError> {
        let path = layout.names();
        let write = || {
            let text = serde_json::to_vec_pretty(&Written {
                format: FORMAT,
                names: self.entries.clone(),
            })?;
            let mut file = tempfile::NamedTempFile::new_in(layout.downloads())?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(StoreError::io("write", &path))?;
        sync(layout.root())
    }
}

fn read(path: &Path, root: &Path) -> io::Result<BTreeMap<String, Entry>> {
    let invalid = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
    let (file, dir) = (fs::symlink_metadata(path)?, fs::metadata(root)?);
    if !file.is_file() {
        return Err(invalid("it is not a regular file"));
    }
    if is_foreign(&file, &dir) {
        return Err(invalid(
            "it belongs to another user, or others may change it",
        ));
    }
    if file.len() > LARGEST {
        return Err(invalid("it is too large"));
    }
    let written: Written = serde_json::from_slice(&read_regular(path, LARGEST, Links::Refuse)?)?;
    match written.format {
        FORMAT => Ok(written.names),
        format => Err(invalid(&format!("format {format} is not {FORMAT}"))),
    }
}
