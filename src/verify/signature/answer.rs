//! Which signatures count for whom.

use crate::digest::Digest;

use super::super::Signer;
use super::{Attempt, Demand, Material, Rejected, Root, Subject};

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
}

/// A signature that counts.
#[derive(Debug, Clone)]
pub struct Proof {
    pub signer: Signer,
    pub material: Material,
    /// Which one it is, for messages.
    pub what: String,
}

/// What one demand says to one signature.
pub(super) type Verdict = Result<Signer, Rejected>;

impl Answer {
    /// To these demands, none of which is met yet.
    pub fn to(demands: &[(Demand, Root)]) -> Self {
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
        (what, material): (&str, &Material),
        digest: Digest,
        demands: &[(Demand, Root)],
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) {
        let open = self.open();
        let bytes = None;
        let mut found = verdicts(material, Subject { digest, bytes }, (demands, &open));
        if needs_bytes(&found)
            && let Some(bytes) = read()
        {
            let bytes = Some(&*bytes);
            found = verdicts(material, Subject { digest, bytes }, (demands, &open));
        }
        self.record(what, material, (open, found));
    }

    /// The demands that are not met yet.
    pub(super) fn open(&self) -> Vec<usize> {
        let all = 0..self.proofs.len();
        all.filter(|&at| self.proofs[at].is_none()).collect()
    }

    pub(super) fn record(
        &mut self,
        what: &str,
        material: &Material,
        (open, verdicts): (Vec<usize>, Vec<Verdict>),
    ) {
        let mut reason = None;
        for (at, verdict) in open.into_iter().zip(verdicts) {
            match verdict {
                Ok(signer) => {
                    self.proofs[at] = Some(Proof {
                        signer,
                        material: material.clone(),
                        what: what.to_owned(),
                    });
                }
                Err(rejected) => {
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

pub(super) fn verdicts(
    material: &Material,
    subject: Subject<'_>,
    (demands, open): (&[(Demand, Root)], &[usize]),
) -> Vec<Verdict> {
    let check = |&at: &usize| {
        let (demand, root) = &demands[at];
        material.check(subject, &demand.signers, root)
    };
    open.iter().map(check).collect()
}

pub(super) fn needs_bytes(verdicts: &[Verdict]) -> bool {
    verdicts.contains(&Err(Rejected::NeedsBytes))
}
