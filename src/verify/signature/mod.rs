//! Signatures: finds the [Sigstore bundles] and [cosign signatures] of an artifact, and checks
//! whether a trusted signer made one of them.
//!
//! `sigstore-verify` does the cryptography: certificate chains, signed certificate timestamps,
//! transparency logs, timestamps and signatures. This module decides which digest a signature must
//! be for, and which signers are trusted.
//!
//! [Sigstore bundles]: https://docs.sigstore.dev/about/bundle/
//! [cosign signatures]: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md

mod answer;
mod check;
mod error;
mod key;
mod legacy;
mod look;
mod material;
mod roots;
mod signers;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Candidate, Older, Proof};
pub use check::{Rejected, Subject};
pub use error::{Attempt, TrustError};
pub use key::{InvalidKey, PublicKey};
pub use look::Look;
pub use material::Material;
pub use roots::{InvalidRoot, Root, Roots};
pub use signers::{Believed, Demand, RootedDemand, Signers, Wanted};
