//! The names in the formats in which signatures are stored.
//!
//! From Sigstore's [bundles], [DSSE], [in-toto] and cosign's [first format].
//!
//! [bundles]: https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
//! [DSSE]: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
//! [in-toto]: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
//! [first format]: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md

/// Media type of a bundle, which is also the artifact type of its referrer.
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What the media types of all versions of a bundle begin with.
pub(super) const ANY_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// What follows the name of a file in that of its bundle.
pub(crate) const BESIDE: &str = ".sigstore.json";

/// Payload type of statements.
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";
pub(crate) const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// Predicate of cosign's statements that do nothing but sign.
pub(crate) const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// Of artifacts that say nothing of what they are.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Media type of the payloads under cosign's tag.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// What such a payload calls itself.
pub(crate) const PAYLOAD: &str = "cosign container image signature";
/// Layers of cosign's tag that are looked at, and written.
pub(crate) const MOST_LAYERS: usize = 64;

/// Annotations of a layer of cosign's tag.
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
pub(super) const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
pub(super) const CHAIN: &str = "dev.sigstore.cosign/chain";
pub(super) const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
pub(super) const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
