//! A report of every signature of an artifact or file.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::digest::Digest;
use crate::error::Report;
use crate::fetch::{Identity, Silent};
use crate::file::{Links, read_regular, read_text};
use crate::reference::{Reference, Shown};
use crate::verify::{Answer, Candidate, Expectation, Look, Material, SignerId, TrustError, Wanted};

use super::signature::{MAX_BUNDLES, refusal};
use super::{Enforcement, Error, Installer, SignerChange, TrustQuestion};

/// The artifact or file to verify, and the demands.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    pub reference: Reference,
    pub expected: Option<Expectation>,
    /// A file of bundles to read instead of the signatures stored beside the artifact.
    pub bundle: Option<PathBuf>,
}

/// The demands, and the signatures found.
#[derive(Debug, Serialize)]
pub struct SignatureReport {
    pub reference: Shown,
    /// The digest that a signature must be for.
    pub digest: Digest,
    /// The origin of the demand: a rule's scope or the command; `None` if signatures are only
    /// shown.
    pub asked_by: Option<String>,
    pub signatures: Vec<FoundSignature>,
    /// Failed lookups, with the reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
    /// Whether all demands are met; false if there are none.
    pub verified: bool,
    #[serde(skip)]
    pub refusal: Option<TrustError>,
    /// The refusal in machine-readable form.
    #[serde(rename = "refusal", skip_serializing_if = "Option::is_none")]
    pub refusal_report: Option<Report>,
}

/// One signature, accepted or not.
#[derive(Debug, Serialize)]
pub struct FoundSignature {
    pub what: String,
    pub counts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// The checks that passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<&'static str>,
    /// The reason why it is not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Installer {
    /// Checks the signatures of an artifact or file without installing it.
    ///
    /// # Errors
    ///
    /// When it cannot be found, or a key, bundle or trust root cannot be read. A rejected
    /// signature is not an error; it is part of the report.
    pub async fn verify(&self, request: VerifyRequest) -> Result<SignatureReport, Error> {
        let reference = &self.fetcher.locate(&request.reference).await?;
        let question = TrustQuestion {
            reference,
            digest: None,
            expected: request.expected.as_ref(),
            own: None,
            before: None,
            change: SignerChange::Refuse,
            enforcement: Enforcement::Report,
        };
        let governing = self.governing(reference, None).await?;
        let demands = self.demands(governing, question).await?;
        let resolved = self.fetcher.resolve(reference).await?;
        let named = match resolved.identity() {
            Identity::Oci { manifest_digest } => Some(*manifest_digest),
            Identity::File { .. } | Identity::Https { .. } => None,
        };
        let (digest, answer) = match (reference, named, &request.bundle) {
            (Reference::Oci(oci), Some(digest), None) => {
                let look = Look {
                    registries: self.fetcher.registries(),
                    reference: oci,
                    digest,
                    insists: true,
                };
                (digest, look.run(&demands).await)
            }
            _ => {
                let place = std::env::temp_dir();
                let staging = tempfile::tempdir()
                    .map_err(crate::store::StoreError::io("create a directory in", place))?;
                let (digest, file) = match (named, reference) {
                    (Some(digest), _) => (digest, None),
                    (None, Reference::File(path)) => {
                        let path = path.clone();
                        let for_hash = path.clone();
                        let hash = move || Digest::of_file(&for_hash);
                        let hashed = tokio::task::spawn_blocking(hash).await?;
                        let read = crate::store::StoreError::io("read", &path);
                        (hashed.map_err(read)?.0, Some(path))
                    }
                    (None, _) => {
                        let fetched = self.fetcher.fetch(resolved, staging.path(), &Silent);
                        let component = fetched.await?.component;
                        (component.digest, Some(component.path))
                    }
                };
                let text = match &request.bundle {
                    Some(bundle) => Some(bundles(bundle).await?),
                    None => self.beside(reference).await?,
                };
                let for_check = demands.clone();
                let check = move || {
                    let _staging = staging;
                    let mut answer = Answer::to(&for_check);
                    let materials = Material::of_file(&text.unwrap_or_default());
                    for (at, material) in materials.iter().enumerate() {
                        let what = &format!("bundle {}", at + 1);
                        answer.consider(Candidate { what, material }, digest, &for_check, || {
                            read_regular(file.as_deref()?, u64::MAX, Links::Follow).ok()
                        });
                    }
                    answer
                };
                (digest, tokio::task::spawn_blocking(check).await?)
            }
        };
        let asked = demands.iter().map(|rooted| &rooted.demand);
        let asked = asked.filter(|demand| demand.wanted != Wanted::Report);
        let asked_by: Vec<String> = asked
            .map(|demand| match &demand.wanted {
                Wanted::Rule(scope) => format!("the rule for `{scope}`"),
                _ => "the command".to_owned(),
            })
            .collect();
        let unmet = demands.iter().zip(&answer.proofs);
        let refusal = unmet
            .into_iter()
            .find(|(one, proof)| proof.is_none() && one.demand.wanted != Wanted::Report)
            .map(|(unmet, _)| refusal(&unmet.demand, &answer, reference));
        Ok(SignatureReport {
            reference: reference.shown(),
            digest,
            verified: !asked_by.is_empty() && refusal.is_none(),
            asked_by: (!asked_by.is_empty()).then(|| asked_by.join(" and ")),
            signatures: found(&answer),
            unanswered: answer.unanswered,
            refusal_report: refusal.as_ref().map(|error| Report::new(error)),
            refusal,
        })
    }
}

fn found(answer: &Answer) -> Vec<FoundSignature> {
    let mut found: Vec<FoundSignature> = Vec::new();
    for proof in answer.proofs.iter().flatten() {
        let what = format!("{} ({})", proof.what, proof.material.format());
        if found.iter().any(|one| one.what == what) {
            continue;
        }
        let mut checks = vec!["digest", "signature"];
        match &proof.signer.id {
            SignerId::Identity { .. } => checks.extend([
                "certificate chain at the time of signing",
                "signed certificate timestamp",
                "identity",
                "transparency log",
            ]),
            SignerId::Key { .. } if proof.signer.log_index.is_some() => {
                checks.extend(["key", "transparency log"]);
            }
            SignerId::Key { .. } => checks.push("key"),
        }
        found.push(FoundSignature {
            what,
            counts: true,
            signer: Some(proof.signer.id.clone()),
            signed_at: proof.signer.signed_at,
            log_index: proof.signer.log_index,
            checks,
            reason: None,
        });
    }
    found.extend(answer.rejected.iter().map(|attempt| FoundSignature {
        what: attempt.what.clone(),
        counts: false,
        signer: None,
        signed_at: None,
        log_index: None,
        checks: Vec::new(),
        reason: Some(attempt.reason.clone()),
    }));
    found
}

async fn bundles(file: &Path) -> Result<String, Error> {
    let path = file.to_owned();
    let read = move || read_text(&path, MAX_BUNDLES, Links::Follow);
    let text = tokio::task::spawn_blocking(read).await?;
    text.map_err(|source| {
        TrustError::Bundle {
            file: file.to_owned(),
            source,
        }
        .into()
    })
}
