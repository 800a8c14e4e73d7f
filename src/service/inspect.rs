//! `inspect`: describes a component, installed or not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::fetch::{Fetched, Progress, Receipt};
use crate::install::{self, Enforcement, Examined, Found, SignerChange, TrustQuestion, describe};
use crate::reference::{ComponentId, Reference, Shown};
use crate::schema::{ToolRecord, Uncallable};
use crate::store::{Digests, Installed, Offered, Store, StoreError};
use crate::verify::{Requirements, Trust, Verification};

use super::{Error, Service};

/// The component to inspect.
#[derive(Debug, Clone)]
pub enum Target {
    Installed(ComponentId),
    /// Fetched to a temporary directory; nothing is installed.
    Source(Reference),
}

#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    pub component_id: ComponentId,
    pub source: Shown,
    pub digests: Digests,
    /// Bytes of the component.
    pub size: u64,
    pub trust: Trust,
    pub world: String,
    pub exports: Vec<String>,
    pub imports: Vec<String>,
    /// The imports that this program does not provide; with any, the component cannot
    /// be loaded.
    pub unknown_imports: Vec<String>,
    pub tools: Vec<InspectedTool>,
    pub not_callable: Vec<Uncallable>,
    pub requested_permissions: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    pub receipt: Receipt,
    pub wit: String,
}

/// A tool of a component, offered or not.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedTool {
    /// The tool under the name that rules use: for an installed component, the name that agents
    /// call if no rule renames it.
    #[serde(flatten)]
    pub record: ToolRecord,
    /// The name given by a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered_as: Option<String>,
    /// Whether a rule hides it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

impl From<ToolRecord> for InspectedTool {
    fn from(record: ToolRecord) -> Self {
        InspectedTool {
            record,
            offered_as: None,
            hidden: false,
        }
    }
}

impl Service {
    /// Describes a component without running any of it.
    ///
    /// # Errors
    ///
    /// As [`Service::load`], or [`StoreError::NotInstalled`].
    pub async fn inspect(
        self: &Arc<Self>,
        target: Target,
        progress: &dyn Progress,
    ) -> Result<Inspection, Error> {
        match target {
            Target::Installed(id) => {
                let installed = self.installed(&id).await?;
                let inspect = move |store: &Store| {
                    let offered = store.offered(&installed.metadata);
                    inspect_installed(installed, &offered)
                };
                self.disk.run(inspect).await?
            }
            Target::Source(reference) => {
                let fetcher = &self.installer.fetcher;
                let resolved = fetcher
                    .resolve(&reference)
                    .await
                    .map_err(install::Error::from)?;
                // Of a package, the artifact.
                let reference = resolved.reference().clone();
                let place = std::env::temp_dir();
                let staging =
                    tempfile::tempdir().map_err(StoreError::io("create a directory in", place))?;
                let question = TrustQuestion {
                    reference: &reference,
                    digest: None,
                    expected: None,
                    own: None,
                    before: None,
                    change: SignerChange::Refuse,
                    // An inspection installs nothing, so signatures are only reported.
                    enforcement: Enforcement::Report,
                };
                let fetching =
                    self.installer
                        .fetch_trusted(resolved, staging.path(), question, progress);
                let fetched = Box::pin(fetching).await?;
                tokio::task::spawn_blocking(move || inspect_fetched(fetched, staging.path()))
                    .await?
            }
        }
    }
}

fn inspect_installed(installed: Installed, offered: &Offered) -> Result<Inspection, Error> {
    let mut metadata = installed.metadata;
    let tools = std::mem::take(&mut metadata.tools).into_iter();
    let tools = tools.map(|record| {
        let mut tool = InspectedTool::from(record);
        let own = &tool.record.normalized_name;
        let mut offered = offered.tools().iter();
        match offered.find(|offered| offered.record.normalized_name == *own) {
            None => tool.hidden = true,
            Some(offered) => match (&offered.renamed, offered.names.first()) {
                (Some(name), _) => tool.offered_as = Some(name.clone()),
                (None, Some(name)) => tool.record.normalized_name.clone_from(&name.name),
                (None, None) => {}
            },
        }
        tool
    });
    let tools = tools.collect();
    let description = describe(&installed.files.wasm, metadata.component_id.as_str())?;
    Ok(Inspection {
        not_callable: description.uncallable(),
        component_id: metadata.component_id,
        source: metadata.source.shown(),
        digests: metadata.digests,
        size: metadata.validation_stamp.file_size,
        trust: metadata.trust,
        world: description.world,
        exports: description.exports,
        imports: description.imports,
        unknown_imports: description.unknown_imports,
        tools,
        requested_permissions: metadata.requested_permissions,
        annotations: BTreeMap::new(),
        receipt: metadata.receipt,
        wit: description.wit,
    })
}

/// `_staging` keeps the fetched file until it has been read.
fn inspect_fetched(
    (fetched, found): (Fetched, Found),
    _staging: &Path,
) -> Result<Inspection, Error> {
    let requirements = Requirements {
        digest: None,
        verification: Verification::Required,
    };
    let component_id = fetched.reference.default_id()?;
    let Examined {
        verified,
        description,
        requested_permissions,
    } = Examined::new((fetched, &found), &requirements, component_id.as_str())?;
    let (fetched, trust) = verified.into_parts();
    let artifact = fetched.artifact;
    Ok(Inspection {
        not_callable: description.uncallable(),
        tools: description
            .callable()
            .into_iter()
            .map(InspectedTool::from)
            .collect(),
        component_id,
        source: fetched.reference.shown(),
        digests: Digests {
            component: fetched.component.digest,
            manifest: artifact.as_ref().map(|artifact| artifact.manifest_digest),
        },
        size: fetched.component.size,
        trust,
        world: description.world,
        exports: description.exports,
        imports: description.imports,
        unknown_imports: description.unknown_imports,
        requested_permissions,
        annotations: artifact
            .map(|artifact| artifact.annotations)
            .unwrap_or_default(),
        receipt: fetched.receipt,
        wit: description.wit,
    })
}
