//! Which signatures count for whom.

use jiff::Timestamp;

use crate::digest::Digest;

use super::super::Signer;
use super::{Attempt, Believed, Material, Rejected, RootedDemand, Subject};

/// What was found.
#[derive(Debug, Default)]
pub struct Answer {
    /// One for each demand, in their order.
    pub proofs: Vec<Option<Proof>>,
    /// The signatures that no demand accepted.
    pub rejected: Vec<Attempt>,
    /// Why something could not be looked at.
    pub unanswered: Vec<String>,
    /// Referrers and layers that were too many to be looked at.
    pub left_out: usize,
    /// The latest signature by a right signer that is older than what it would
    /// replace.
    pub older: Option<Older>,
}

/// A signature that is older than that of the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Older {
    /// None where no time is proven.
    pub signed_at: Option<Timestamp>,
}

/// A signature that counts.
#[derive(Debug, Clone)]
pub struct Proof {
    pub signer: Signer,
    pub material: Material,
    /// Which one it is, for messages.
    pub what: String,
}

/// Something that may be a signature.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Which one it is, for messages.
    pub what: &'a str,
    pub material: &'a Material,
}

/// What one demand says to one signature.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The demand's place among all.
    demand: usize,
    result: Result<Signer, Rejected>,
}

impl Answer {
    /// To these demands, none of which is met yet.
    pub fn to(demands: &[RootedDemand]) -> Self {
        Answer {
            proofs: demands.iter().map(|_| None).collect(),
            ..Answer::default()
        }
    }

    /// Holds one signature for a file to the demands that are not met yet;
    /// `read` gives the file. Takes processor time, and reads the file where
    /// the key signs bytes.
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

    /// The places of the demands that are not met yet.
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

/// What the demands at the places `open` say to a signature.
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

/// What every one of the open demands says, where nothing could be checked.
pub(super) fn all_unreadable(open: &[usize], reason: &str) -> Vec<Verdict> {
    let verdict = |&demand: &usize| Verdict {
        demand,
        result: Err(Rejected::Unreadable(reason.to_owned())),
    };
    open.iter().map(verdict).collect()
}
