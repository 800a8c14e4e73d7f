use jiff::Timestamp;
use serde::Serialize;

use crate::reference::{ComponentId, Shown};
use crate::store::{Digests, Entry, Metadata, usage};
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
        /// Whether native code is in the store.
        compiled: bool,
        /// The last call, to within ten minutes; absent when it was never called.
        last_used: Option<Timestamp>,
        tool_names: Vec<String>,
    },
    /// Not served.
    Damaged { reason: String },
}

impl Service {
    /// What is installed, oldest first.
    pub fn list(&self) -> Result<Vec<ComponentSummary>, Error> {
        let entries = self.store.list()?;
        Ok(entries.into_iter().map(|e| self.summarise(e)).collect())
    }

    fn summarise(&self, entry: Entry) -> ComponentSummary {
        match entry {
            Entry::Damaged { id, reason, .. } => ComponentSummary {
                id,
                health: Health::Damaged { reason },
            },
            Entry::Sound(installed) => {
                let tool_names = self.tool_names(&installed.metadata);
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
                    },
                }
            }
        }
    }

    /// The names under which agents know a component's tools.
    pub(super) fn tool_names(&self, metadata: &Metadata) -> Vec<String> {
        let offered = self.toolbox.names_of(&metadata.component_id);
        if !offered.is_empty() {
            return offered;
        }
        let own = metadata.tools.iter();
        own.map(|tool| tool.normalized_name.clone()).collect()
    }
}
