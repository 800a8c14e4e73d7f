//! Compares the signatures found with the demands.

use jiff::Timestamp;

use crate::digest::Digest;

use super::super::Signer;
use super::{Attempt, Believed, Material, Rejected, RootedDemand, Subject};

/// The result of a search for signatures.
#[derive(Debug, Default)]
pub struct Answer {
    /// The proof for each demand, in the order of the demands.
    pub proofs: Vec<Option<Proof>>,
    /// The signatures that no demand accepted.
    pub rejected: Vec<Attempt>,
    /// Reasons why something could not be read.
    pub unanswered: Vec<String>,
    /// Number of referrers and layers that exceeded the limits and were not read.
    pub left_out: usize,
    /// The latest signature by an accepted signer that is older than the signature of the
    /// installed version.
    pub older: Option<Older>,
}

/// A signature that is older than that of the previous version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Older {
    /// `None` if no time is proven.
    pub signed_at: Option<Timestamp>,
}

/// An accepted signature.
#[derive(Debug, Clone)]
pub struct Proof {
    pub signer: Signer,
    pub material: Material,
    /// Name of the signature, for messages.
    pub what: String,
}

/// A possible signature.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Name of the candidate, for messages.
    pub what: &'a str,
    pub material: &'a Material,
}

/// The result of checking one signature against one demand.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Index of the demand.
    demand: usize,
    result: Result<Signer, Rejected>,
}

impl Answer {
    /// An answer to these demands, with none of them met yet.
    pub fn to(demands: &[RootedDemand]) -> Self {
        Answer {
            proofs: demands.iter().map(|_| None).collect(),
            ..Answer::default()
        }
    }

    /// Checks one signature of a file against the demands that are not met yet; `read` returns the
    /// file's bytes. Uses the processor, and reads the file only if the key signs bytes rather
    /// than digests.
    pub fn consider(
        &mut self,
        candidate: Candidate<'_>,
        digest: Digest,
        demands: &[RootedDemand],
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) {
        let open = self.open();
        let judge = |bytes: Option<&[u8]>| {
            verdicts(
                candidate.material,
                Subject { digest, bytes },
                demands,
                &open,
            )
        };
        let mut verdicts = judge(None);
        if needs_bytes(&verdicts)
            && let Some(bytes) = read()
        {
            verdicts = judge(Some(&bytes));
        }
        self.record(candidate, verdicts);
    }

    /// The indexes of the demands that are not met yet.
    pub(super) fn open(&self) -> Vec<usize> {
        let all = 0..self.proofs.len();
        all.filter(|&at| self.proofs[at].is_none()).collect()
    }

    pub(super) fn record(&mut self, candidate: Candidate<'_>, verdicts: Vec<Verdict>) {
        let Candidate { what, material } = candidate;
        let mut reason = None;
        for Verdict { demand, result } in verdicts {
            match result {
                Ok(signer) => {
                    self.proofs[demand] = Some(Proof {
                        signer,
                        material: material.clone(),
                        what: what.to_owned(),
                    });
                }
                Err(rejected) => {
                    if let Rejected::Older(older) = rejected {
                        self.older = self.older.max(Some(older));
                    }
                    reason.get_or_insert(rejected);
                }
            }
        }
        if let Some(reason) = reason {
            self.rejected.push(Attempt {
                what: format!("{what} ({})", material.format()),
                reason: reason.to_string(),
            });
        }
    }
}

/// Checks a signature against the demands at the indexes `open`.
pub(super) fn verdicts(
    material: &Material,
    subject: Subject<'_>,
    demands: &[RootedDemand],
    open: &[usize],
) -> Vec<Verdict> {
    let check = |&at: &usize| {
        let RootedDemand { demand, root } = &demands[at];
        let signers = &demand.signers;
        let checked = material.check(subject, Believed { signers, root });
        let result = checked.and_then(|signer| match demand.is_recent(&signer) {
            true => Ok(signer),
            false => Err(Rejected::Older(Older {
                signed_at: signer.signed_at,
            })),
        });
        Verdict { demand: at, result }
    };
    open.iter().map(check).collect()
}

pub(super) fn needs_bytes(verdicts: &[Verdict]) -> bool {
    let mut verdicts = verdicts.iter();
    verdicts.any(|verdict| verdict.result == Err(Rejected::NeedsBytes))
}

/// The verdict of each open demand on a signature that could not be read.
pub(super) fn all_unreadable(open: &[usize], reason: &str) -> Vec<Verdict> {
    let verdict = |&demand: &usize| Verdict {
        demand,
        result: Err(Rejected::Unreadable(reason.to_owned())),
    };
    open.iter().map(verdict).collect()
}
