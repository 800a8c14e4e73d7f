//! Checks the signature of a component: searches for it during the download, by the digest that is
//! downloaded, and decides before anything is staged.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use crate::config::{Required, Source, TrustRule};
use crate::digest::Digest;
use crate::fetch::{Fetched, Identity, Progress, Resolved};
use crate::file::{Links, read_regular, read_text};
use crate::reference::{OciReference, Reference};
use crate::verify::formats::BESIDE;
use crate::verify::{
    Answer, Attempt, Candidate, Demand, Evidence, Expectation, Look, Material, RootedDemand,
    Signature, Signers, Trust, TrustError, Wanted,
};

use super::{Error, Installer, SignerChange};

/// Largest file of bundles, in bytes.
pub(super) const MAX_BUNDLES: u64 = 16 << 20;
/// Longest search for a signature that is not required.
const REPORT_TIME: Duration = Duration::from_secs(10);

/// The demands on the signature of something that will be fetched.
#[derive(Clone, Copy)]
pub(crate) struct TrustQuestion<'a> {
    pub reference: &'a Reference,
    /// A digest given in addition to the reference.
    pub digest: Option<Digest>,
    pub expected: Option<&'a Expectation>,
    /// A rule for this component only, in addition to those of the configuration.
    pub own: Option<&'a TrustRule>,
    /// The trust in the version that it would replace.
    pub before: Option<&'a Trust>,
    pub change: SignerChange,
    pub enforcement: Enforcement,
}

/// Whether the demands must be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enforcement {
    Enforce,
    /// Unmet demands are only reported.
    Report,
}

/// The signature found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub signature: Signature,
    pub evidence: Option<Evidence>,
}

/// The demands on one component, with their trust roots.
pub(super) type Demands = Vec<RootedDemand>;

impl Installer {
    /// Fetches the resolved content, and checks its signature at the same time.
    ///
    /// # Errors
    ///
    /// When the transfer fails, or a demand is not met.
    pub(crate) async fn fetch_trusted(
        &self,
        resolved: Resolved,
        staging: &Path,
        question: TrustQuestion<'_>,
        progress: &dyn Progress,
    ) -> Result<(Fetched, Found), Error> {
        let resolved_digest = match resolved.identity() {
            Identity::Oci { manifest_digest } => Some(*manifest_digest),
            Identity::File { .. } | Identity::Https { .. } => None,
        };
        let rules = &self.rules.trust;
        let enforces = question.enforcement == Enforcement::Enforce;
        if enforces {
            rules.admit(resolved_digest, question.own)?;
        }
        let governing = self.governing(question.reference, question.own).await?;
        let demands = self.demands(governing, question).await?;
        let fetch = async {
            let fetched = self.fetcher.fetch(resolved, staging, progress);
            fetched.await.map_err(Error::from)
        };
        let (fetched, found) = match (question.reference, resolved_digest) {
            (Reference::Oci(reference), Some(digest)) => {
                let look = self.look(reference, digest, &demands, question);
                tokio::try_join!(fetch, look)?
            }
            _ => {
                let fetched = fetch.await?;
                let found = self.look_beside(&fetched, &demands, question).await?;
                (fetched, found)
            }
        };
        if enforces {
            let manifest = fetched.artifact.as_ref().map(|one| one.manifest_digest);
            let digests = manifest.into_iter().chain([fetched.component.digest]);
            rules.admit(digests, question.own)?;
        }
        Ok((fetched, found))
    }

    /// The rules for the component of this reference, all of which must be met: the rule for its
    /// path as written, the rule for its path with links resolved, and its own rule.
    pub(crate) async fn governing(
        &self,
        reference: &Reference,
        own: Option<&TrustRule>,
    ) -> Result<Vec<TrustRule>, Error> {
        let mut governing: Vec<TrustRule> = Vec::new();
        for source in self.sources(reference).await? {
            for rule in self.rules.trust.governing(&source) {
                if governing.iter().all(|one| one.scope != rule.scope) {
                    governing.push(rule.clone());
                }
            }
        }
        governing.extend(own.cloned());
        Ok(governing)
    }

    /// The source of a component as rules see it: as written and, for a path, also with links
    /// resolved.
    pub(crate) async fn sources(&self, reference: &Reference) -> Result<Vec<Source>, Error> {
        let mut sources = vec![Source::of(reference)];
        let path = match reference {
            Reference::File(path) => Some(path.clone()),
            Reference::Layout(layout) => Some(layout.path().to_owned()),
            Reference::Oci(_) | Reference::Https(_) | Reference::Package(_) => None,
        };
        if let Some(path) = path {
            let canonical = move || std::fs::canonicalize(path);
            // A missing file is reported when it is fetched.
            if let Ok(path) = tokio::task::spawn_blocking(canonical).await? {
                sources.push(sources[0].at(&path));
            }
        }
        Ok(sources)
    }

    /// Builds the demands on the signature. Blocks, because keys and trust roots are files.
    pub(super) async fn demands(
        &self,
        governing: Vec<TrustRule>,
        question: TrustQuestion<'_>,
    ) -> Result<Demands, Error> {
        let enforces = question.enforcement == Enforcement::Enforce;
        let by_digest = question.digest.is_some() || question.reference.is_pinned();
        if enforces
            && !by_digest
            && let Some(rule) = needs_digest(&governing)
        {
            let scope = rule.scope.as_str().to_owned();
            return Err(TrustError::DigestRequired { scope }.into());
        }
        let rules = self.rules.trust.clone();
        let (reference, expected) = (question.reference.to_string(), question.expected.cloned());
        let signer = question.before.and_then(Trust::signer).cloned();
        let signer = signer.filter(|_| question.change == SignerChange::Refuse);
        let read = move || {
            let mut demands = rules.demands(&governing, expected.as_ref())?;
            if let Some(nobody) = demands.iter().find(|demand| demand.signers.is_nobody())
                && enforces
            {
                return Err(TrustError::Nobody {
                    reference,
                    by: nobody.wanted.clone(),
                });
            }
            let trusted_root = demands.last().and_then(|one| one.trusted_root.clone());
            demands.extend(signer.map(|signer| Demand {
                signers: Signers::Same(signer.id),
                trusted_root,
                not_before: signer.signed_at,
                wanted: Wanted::Before,
            }));
            if demands.is_empty() {
                demands.push(Demand {
                    signers: Signers::Anyone,
                    trusted_root: None,
                    not_before: None,
                    wanted: Wanted::Report,
                });
            }
            let with_root = |demand: Demand| {
                let root = rules.root(demand.trusted_root.as_deref())?;
                Ok(RootedDemand { demand, root })
            };
            demands.into_iter().map(with_root).collect()
        };
        Ok(tokio::task::spawn_blocking(read).await??)
    }

    /// Searches the registry of the reference.
    async fn look(
        &self,
        reference: &OciReference,
        digest: Digest,
        demands: &Demands,
        question: TrustQuestion<'_>,
    ) -> Result<Found, Error> {
        let required = is_asked(demands) && question.enforcement == Enforcement::Enforce;
        let look = Look {
            registries: self.fetcher.registries(),
            reference,
            digest,
            insists: required,
        };
        let answer = match required {
            true => look.run(demands).await,
            // The signature is not required, so the wait for it is limited.
            false => match timeout(REPORT_TIME, look.run(demands)).await {
                Ok(answer) => answer,
                Err(_) => Answer {
                    unanswered: vec!["the registry took too long".into()],
                    ..Answer::to(demands)
                },
            },
        };
        Ok(settle(answer, digest, demands, question)?)
    }

    /// Reads the bundles beside a file, if a signature is required.
    async fn look_beside(
        &self,
        fetched: &Fetched,
        demands: &Demands,
        question: TrustQuestion<'_>,
    ) -> Result<Found, Error> {
        if !is_asked(demands) {
            return Ok(Found::default());
        }
        let text = self.beside(question.reference).await?;
        let digest = fetched.component.digest;
        let (path, for_check) = (fetched.component.path.clone(), demands.clone());
        let check = move || {
            let mut answer = Answer::to(&for_check);
            for material in Material::of_file(&text.unwrap_or_default()) {
                let found = Candidate {
                    what: "the bundle beside the file",
                    material: &material,
                };
                answer.consider(found, digest, &for_check, || {
                    read_regular(&path, u64::MAX, Links::Refuse).ok()
                });
            }
            answer
        };
        let answer = tokio::task::spawn_blocking(check).await?;
        Ok(settle(answer, digest, demands, question)?)
    }

    /// The text of the bundles beside a file; `None` if there are none.
    pub(super) async fn beside(&self, reference: &Reference) -> Result<Option<String>, Error> {
        let unanswered = |reason: String| TrustError::Unanswered {
            reference: reference.to_string(),
            by: Wanted::Command,
            reason,
        };
        match reference {
            Reference::File(path) => {
                let mut path = path.clone().into_os_string();
                path.push(BESIDE);
                let read = move || read_text(Path::new(&path), MAX_BUNDLES, Links::Follow);
                match tokio::task::spawn_blocking(read).await? {
                    Ok(text) => Ok(Some(text)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(unanswered(error.to_string()).into()),
                }
            }
            Reference::Https(url) => {
                let url = beside(url);
                let got = self.fetcher.small_file(&url, MAX_BUNDLES as usize);
                Ok(got.await.map_err(|error| unanswered(error.chain()))?)
            }
            Reference::Oci(_) | Reference::Layout(_) | Reference::Package(_) => Ok(None),
        }
    }
}

/// Whether a signature is required.
fn is_asked(demands: &Demands) -> bool {
    let mut demands = demands.iter();
    demands.any(|one| one.demand.wanted != Wanted::Report)
}

/// The first rule that requires a digest in the reference.
pub(super) fn needs_digest(rules: &[TrustRule]) -> Option<&TrustRule> {
    let mut rules = rules.iter();
    rules.find(|rule| rule.require == Some(Required::Digest))
}

/// The address of a file's bundles: the suffix is added before the query.
fn beside(url: &Url) -> Url {
    let mut beside = url.clone();
    beside.set_path(&format!("{}{BESIDE}", url.path()));
    beside.set_fragment(None);
    beside
}

/// Decides whether an answer meets the demands.
fn settle(
    mut answer: Answer,
    digest: Digest,
    demands: &Demands,
    question: TrustQuestion<'_>,
) -> Result<Found, TrustError> {
    let proofs = std::mem::take(&mut answer.proofs);
    if question.enforcement == Enforcement::Enforce {
        for (RootedDemand { demand, .. }, proof) in demands.iter().zip(&proofs) {
            if proof.is_none() && demand.wanted != Wanted::Report {
                return Err(refusal(demand, &answer, question.reference));
            }
        }
    }
    let mut proven = demands.iter().zip(proofs);
    let proven = proven.find_map(|(rooted, proof)| Some((&rooted.demand, proof?)));
    let Some((demand, proof)) = proven else {
        let reasons = answer.unanswered.iter().cloned();
        let rejected = answer.rejected.iter();
        let mut reasons =
            reasons.chain(rejected.map(|one| format!("{}: {}", one.what, one.reason)));
        return Ok(Found {
            signature: match reasons.next() {
                None => Signature::Unsigned,
                Some(reason) => {
                    let reference = question.reference;
                    tracing::warn!("the signature of `{reference}` is not known: {reason}");
                    Signature::Unknown
                }
            },
            evidence: None,
        });
    };
    let evidence = Evidence {
        rule: match &demand.wanted {
            Wanted::Rule(scope) => Some(scope.clone()),
            _ => None,
        },
        trusted_root: demand.trusted_root.clone(),
        ..Evidence::new(digest, proof.signer.clone(), proof.material)
    };
    Ok(Found {
        signature: Signature::Signed(proof.signer),
        evidence: Some(evidence),
    })
}

/// The error for an unmet demand.
pub(super) fn refusal(demand: &Demand, answer: &Answer, reference: &Reference) -> TrustError {
    let reference = reference.to_string();
    let by = demand.wanted.clone();
    // If the search failed, the component may still be signed.
    if let Some(reason) = answer.unanswered.first() {
        return TrustError::Unanswered {
            reference,
            by,
            reason: reason.clone(),
        };
    }
    let mut attempts = answer.rejected.clone();
    if answer.left_out > 0 {
        let left_out = Attempt {
            what: format!("{} more", answer.left_out),
            reason: "they were not looked at".into(),
        };
        attempts.insert(0, left_out);
    }
    if let (Some(before), Some(older)) = (demand.not_before, answer.older) {
        return TrustError::SignedEarlier {
            reference,
            before,
            now: older.signed_at,
        };
    }
    match &demand.signers {
        Signers::Same(before) => TrustError::SignerChanged {
            reference,
            before: before.clone(),
            now: match attempts.first() {
                None => "unsigned".into(),
                Some(attempt) => format!("{}: {}", attempt.what, attempt.reason),
            },
        },
        _ if attempts.is_empty() => TrustError::Unsigned { reference, by },
        _ => TrustError::Rejected {
            reference,
            by,
            attempts,
        },
    }
}
