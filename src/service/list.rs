use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::reference::{ComponentId, Shown};
use crate::schema::Uncallable;
use crate::store::{Digests, Entry, Metadata, Names, Store, usage};
use crate::verify::Trust;

use super::{Error, Service};

/// One installed component, as listings show it.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentSummary {
    pub id: ComponentId,
    #[serde(flatten)]
    pub health: Health,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "nearly all are `Ok`")]
pub enum Health {
    Ok {
        source: Shown,
        digests: Digests,
        /// Bytes of the component.
        size: u64,
        trust: Trust,
        created_at: Timestamp,
        /// Whether its native code is on disk.
        compiled: bool,
        /// The last call, to within ten minutes; absent when it was never called.
        last_used: Option<Timestamp>,
        tool_names: Vec<String>,
        /// The exported functions that cannot be tools, and why.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        not_callable: Vec<Uncallable>,
    },
    /// Not served.
    Damaged { reason: String },
}

impl Service {
    /// What is installed, oldest first.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn list(self: &Arc<Self>) -> Result<Vec<ComponentSummary>, Error> {
        let service = self.clone();
        let look = move |store: &Store| {
            let entries = store.list()?;
            let sound = entries.iter().filter_map(|entry| match entry {
                Entry::Sound(installed) => Some(&installed.metadata),
                Entry::Damaged { .. } => None,
            });
            let names = store.names_of_all(&sound.collect::<Vec<_>>());
            let summarise = |entry| service.summarise(entry, &names);
            Ok(entries.into_iter().map(summarise).collect())
        };
        self.disk.run(look).await?
    }

    fn summarise(&self, entry: Entry, names: &Names) -> ComponentSummary {
        match entry {
            Entry::Damaged { id, reason, .. } => ComponentSummary {
                id,
                health: Health::Damaged { reason },
            },
            Entry::Sound(installed) => {
                let tool_names = self.tool_names(&installed.metadata, names);
                let (metadata, files) = (installed.metadata, installed.files);
                ComponentSummary {
                    id: metadata.component_id,
                    health: Health::Ok {
                        source: metadata.source.shown(),
                        digests: metadata.digests,
                        size: metadata.validation_stamp.file_size,
                        trust: metadata.trust,
                        created_at: metadata.created_at,
                        compiled: files.cwasm.is_file(),
                        last_used: usage::last_used(&files),
                        tool_names,
                        not_callable: metadata.not_callable.unwrap_or_default(),
                    },
                }
            }
        }
    }

    /// The names under which agents call a component's tools: those in this process's
    /// toolbox, if it offers them.
    fn tool_names(&self, metadata: &Metadata, names: &Names) -> Vec<String> {
        let offered = self.toolbox.names_of(&metadata.component_id);
        if !offered.is_empty() {
            return offered;
        }
        let offered = names.offered(metadata);
        offered.listed().map(str::to_owned).collect()
    }
}
