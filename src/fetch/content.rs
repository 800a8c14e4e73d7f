//! Fetches an artifact: manifest, config, component and policy.

use bytes::Bytes;

use super::destination::Destination;
use super::error::{ErrorKind, Failed};
use super::kept;
use super::media_type::ConfigKind;
use super::outcome::{Artifact, Blob, Identity, KeptBlob, Parts};
use super::plan::{InvalidArtifact, Layer, Plan, select};
use super::progress::Progress;
use super::slots::Slots;
use super::unpack::Unpack;
use super::wasm_config::WasmConfig;
use crate::digest::{Digest, Expected};
use crate::registry::{Descriptor, Document, Manifest, expectation};

const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// A source of artifacts: a registry or an OCI image layout. Implementations
/// check all content against its descriptor.
pub(super) trait Content: Sync {
    /// Whether components from this source can be shared under the name of
    /// their registry. A layout has no registry.
    const IS_SHARED: bool;

    /// Fetches an OCI manifest or image index.
    fn document(
        &self,
        digest: Digest,
        expected: Expected,
    ) -> impl Future<Output = Result<Bytes, Failed>> + Send;

    /// Fetches a blob into memory. `what` names it in errors.
    fn small(
        &self,
        descriptor: &Descriptor,
        what: &str,
    ) -> impl Future<Output = Result<Bytes, Failed>> + Send;

    /// Writes the component to disk, unpacked.
    fn component(
        &self,
        layer: Layer<'_>,
        target: Target<'_>,
    ) -> impl Future<Output = Result<Blob, Failed>> + Send;
}

/// Where to write a component.
#[derive(Clone)]
pub(super) struct Target<'a> {
    pub destination: Destination,
    pub unpack: Option<Unpack>,
    pub progress: &'a dyn Progress,
}

/// What to assemble.
pub(super) struct Assembly<'a> {
    /// Digest of the OCI manifest or image index.
    pub digest: Digest,
    /// That document, if the resolution has already fetched it.
    pub document: Option<Bytes>,
    pub target: Destination,
    pub max_component_bytes: u64,
    pub max_policy_bytes: u64,
    pub downloads: &'a Slots,
    pub progress: &'a dyn Progress,
}

/// Fetches an artifact: the component to disk, config and policy to memory.
pub(super) async fn assemble<C: Content>(
    content: &C,
    assembly: Assembly<'_>,
) -> Result<Parts, Failed> {
    let digest = assembly.digest;
    let parts = Assembler { content, assembly };
    let Chosen {
        digest: manifest_digest,
        manifest,
        mut documents,
    } = parts.manifest().await?;
    let plan = Plan::of(&manifest)?;
    let diff_id = match plan.packed.is_some() {
        true => parts.diff_id(&plan).await?,
        false => None,
    };
    let unpack = plan.unpack(diff_id, parts.assembly.max_component_bytes);
    let (component, policy, config, others) = tokio::try_join!(
        parts.component(plan.component, unpack),
        parts.policy(plan.policy),
        parts.config(plan.config),
        parts.others(&manifest, &plan),
    )?;
    let (config, config_bytes) = config.unzip();
    let policy_bytes = policy.clone().map(Bytes::from);
    documents.extend(config_bytes.into_iter().chain(policy_bytes).map(kept::blob));
    let kept = others.map(|others| {
        documents.extend(others);
        documents
    });
    Ok(Parts {
        identity: Identity::Oci {
            manifest_digest: digest,
        },
        component,
        artifact: Some(Artifact {
            manifest_digest,
            config,
            layer_digests: manifest.layers.iter().map(|layer| layer.digest).collect(),
            annotations: manifest.annotations,
            kept,
        }),
        policy,
    })
}

/// The OCI manifest of an artifact, with all documents that were read to find
/// it.
struct Chosen {
    digest: Digest,
    manifest: Manifest,
    documents: Vec<KeptBlob>,
}

pub(super) struct Assembler<'a, C> {
    pub content: &'a C,
    pub assembly: Assembly<'a>,
}

impl<C: Content> Assembler<'_, C> {
    /// The manifest of the artifact, selected from the image index if there is
    /// one.
    async fn manifest(&self) -> Result<Chosen, Failed> {
        let digest = self.assembly.digest;
        let expected = Expected {
            digest: Some(digest),
            ..Expected::default()
        };
        let bytes = match &self.assembly.document {
            Some(bytes) => bytes.clone(),
            None => self.content.document(digest, expected).await?,
        };
        let document = Document::parse(&bytes)?;
        let first = kept::document(digest, &bytes, &document);
        let index = match document {
            Document::Manifest(manifest) => {
                return Ok(Chosen {
                    digest,
                    manifest,
                    documents: vec![first],
                });
            }
            Document::Index(index) => index,
        };
        let chosen = select(&index)?;
        let digest = chosen.digest;
        let bytes = self.content.document(digest, expectation(chosen)).await?;
        let document = Document::parse(&bytes)?;
        let second = kept::document(digest, &bytes, &document);
        match document {
            Document::Manifest(manifest) => Ok(Chosen {
                digest,
                manifest,
                documents: vec![first, second],
            }),
            Document::Index(_) => Err(InvalidArtifact::Nested.into()),
        }
    }

    async fn component(&self, layer: Layer<'_>, unpack: Option<Unpack>) -> Result<Blob, Failed> {
        let limit = self.assembly.max_component_bytes;
        if layer.descriptor.size > limit {
            return Err(ErrorKind::too_large(layer.name(), limit).into());
        }
        let target = Target {
            destination: self.assembly.target.clone(),
            unpack,
            progress: self.assembly.progress,
        };
        let _slot = self.assembly.downloads.take().await;
        self.content.component(layer, target).await
    }

    async fn policy(&self, layer: Option<Layer<'_>>) -> Result<Option<String>, Failed> {
        let Some(layer) = layer else {
            return Ok(None);
        };
        let limit = self.assembly.max_policy_bytes;
        let bytes = self.small(layer.descriptor, &layer.name(), limit).await?;
        let text = String::from_utf8(bytes.into()).map_err(|_| ErrorKind::PolicyText)?;
        Ok(Some(text))
    }

    async fn config(
        &self,
        config: Option<(ConfigKind, &Descriptor)>,
    ) -> Result<Option<(WasmConfig, Bytes)>, Failed> {
        let Some((ConfigKind::Wasm, descriptor)) = config else {
            // The config of an image describes a container, not the component.
            return Ok(None);
        };
        let bytes = self.config_bytes(descriptor).await?;
        let config = serde_json::from_slice(&bytes).map_err(ErrorKind::Config)?;
        Ok(Some((config, bytes)))
    }

    /// The digest of the unpacked layer (`diff_id`) from the config of an
    /// image.
    async fn diff_id(&self, plan: &Plan<'_>) -> Result<Option<Digest>, Failed> {
        let Some((ConfigKind::Image, descriptor)) = plan.config else {
            return Ok(None);
        };
        let bytes = self.config_bytes(descriptor).await?;
        Ok(plan.diff_id(&bytes).map_err(ErrorKind::Config)?)
    }

    async fn config_bytes(&self, descriptor: &Descriptor) -> Result<Bytes, Failed> {
        let what = format!("the config (`{}`)", descriptor.media_type.escape_debug());
        self.small(descriptor, &what, MAX_CONFIG_BYTES).await
    }

    /// Fetches a small blob; it counts as one of the concurrent downloads.
    async fn small(
        &self,
        descriptor: &Descriptor,
        what: &str,
        limit: u64,
    ) -> Result<Bytes, Failed> {
        if descriptor.size > limit {
            return Err(ErrorKind::too_large(what, limit).into());
        }
        let _slot = self.assembly.downloads.take().await;
        self.content.small(descriptor, what).await
    }
}
