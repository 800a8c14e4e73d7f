//! Constants of the formats in which signatures are stored.
//!
//! From Sigstore's [bundles], [DSSE], [in-toto] and cosign's [first format].
//!
//! [bundles]: https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
//! [DSSE]: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
//! [in-toto]: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
//! [first format]: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md

/// Media type of a bundle, which is also the artifact type of its referrer.
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Prefix of the media types of all versions of a bundle.
pub(super) const ANY_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// Suffix of a bundle's file name, after the name of the signed file.
pub(crate) const BESIDE: &str = ".sigstore.json";

/// Payload type of statements.
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";
pub(crate) const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// Predicate type of cosign's statements that only sign.
pub(crate) const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// Config media type of artifacts without a config.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Media type of the payloads under cosign's tag.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Type field of such a payload.
pub(crate) const PAYLOAD: &str = "cosign container image signature";
/// Most layers of cosign's tag that are read or written.
pub(crate) const MOST_LAYERS: usize = 64;

/// Annotations of a layer of cosign's tag.
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
pub(super) const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
pub(super) const CHAIN: &str = "dev.sigstore.cosign/chain";
pub(super) const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
pub(super) const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
