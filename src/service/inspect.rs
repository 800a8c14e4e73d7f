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
use crate::store::{Digests, Installed, Store, StoreError, ToolName};
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
    /// The tools, for an installed component under the names that agents call.
    pub tools: Vec<ToolRecord>,
    pub not_callable: Vec<Uncallable>,
    pub requested_permissions: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    pub receipt: Receipt,
    pub wit: String,
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
                    let names = store.names_of(&installed.metadata);
                    inspect_installed(installed, &names)
                };
                self.disk.run(inspect).await?
            }
            Target::Source(reference) => {
                let fetcher = &self.installer.fetcher;
                let resolved = fetcher
                    .resolve(&reference)
                    .await
                    .map_err(install::Error::from)?;
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
                    // Nothing comes of it.
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

fn inspect_installed(installed: Installed, names: &[ToolName]) -> Result<Inspection, Error> {
    let mut metadata = installed.metadata;
    for tool in &mut metadata.tools {
        let offered = names.iter().find(|name| name.tool == tool.normalized_name);
        if let Some(offered) = offered {
            tool.normalized_name.clone_from(&offered.name);
        }
    }
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
        tools: metadata.tools,
        requested_permissions: metadata.requested_permissions,
        annotations: BTreeMap::new(),
        receipt: metadata.receipt,
        wit: description.wit,
    })
}

/// `_staging` holds the fetched file for as long as it is read.
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
        tools: description.callable(),
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
