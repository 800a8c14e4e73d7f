//! The part of a component that a lock records, and the digests that name a component.

use crate::digest::Digest;
use crate::fetch::Identity;
use crate::manifest::lock::Content;
use crate::schema::rules::ToolRules;
use crate::store::Metadata;

/// The content that a lock records for a component with these tool rules.
pub fn content_of<'a>(metadata: &'a Metadata, rules: &ToolRules) -> Content<'a> {
    Content {
        source: &metadata.source,
        digest: content_digest(metadata),
        signer: metadata.trust.signer().map(|signer| signer.id.to_string()),
        imports: &metadata.component_info.imports,
        tools: rules.definitions(&metadata.component_id, &metadata.tools),
    }
}

/// The digest that names a component's content at its source: the one that its tag resolved to, or
/// that of its bytes.
pub fn content_digest(metadata: &Metadata) -> Digest {
    match metadata.identity {
        Identity::Oci { manifest_digest } => manifest_digest,
        Identity::File { .. } | Identity::Https { .. } => metadata.digests.component,
    }
}

/// Every digest that identifies a component.
pub(super) fn names_of(metadata: &Metadata) -> Vec<Digest> {
    let mut names = vec![content_digest(metadata), metadata.digests.component];
    names.extend(metadata.digests.manifest);
    names
}
