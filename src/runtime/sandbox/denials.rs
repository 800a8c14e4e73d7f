//! Records the denials during a call, to report them to the agent.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::{Look, Sandbox};
use crate::policy::Reason;
use crate::text::Foreign;

/// Most different denials in one call's report.
const LISTED: usize = 32;
/// Most characters of a name that a guest chose.
const NAME: usize = 256;

/// One denial of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Denial {
    pub kind: DenialKind,
    /// The address, path or key, as the guest named it.
    pub what: Foreign,
    /// Whether `what` is the whole name, or the start of a longer one.
    #[serde(skip)]
    pub is_whole: bool,
    pub reason: Reason,
    /// Number of denials in this call.
    pub times: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenialKind {
    /// An HTTP request.
    Request,
    /// An address that a granted name resolved to.
    Address,
    /// A name to resolve.
    Lookup,
    /// A socket to connect or bind.
    Socket,
    /// A file or directory to read.
    Read,
    /// A file or directory to change.
    Write,
    /// A variable that the guest requested by name.
    Environment,
}

/// The denials of one call; clones share them.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Denials(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    listed: Mutex<Vec<Denial>>,
    look: Look,
}

impl Denial {
    /// Returns the denial of a variable that a component says it needs.
    pub fn of_variable(key: &str) -> Self {
        Denial {
            kind: DenialKind::Environment,
            what: key.into(),
            is_whole: true,
            reason: Reason::NotGranted,
            times: 1,
        }
    }
}

impl Denials {
    pub fn new(sandbox: &Sandbox) -> Self {
        Denials(Arc::new(Noted {
            listed: Mutex::default(),
            look: Look::new(sandbox),
        }))
    }

    /// Returns the variables that the guest saw; denials must not show their secrets.
    pub fn look(&self) -> &Look {
        &self.0.look
    }

    pub fn record(&self, kind: DenialKind, what: &str, reason: Reason) {
        // Before shortening, because a cut secret would not be recognised.
        let redactor = self.0.look.redactor();
        let whole = redactor.text(what);
        let mut what: String = whole.chars().take(NAME).collect();
        let is_whole = what.len() == whole.len();
        if !is_whole {
            what.push('…');
        }
        let what = Foreign::new(what);
        tracing::debug!(?kind, ?reason, %what, "denied");
        let mut denials = self.0.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |denial: &Denial| (denial.kind, denial.reason, &denial.what) == (kind, reason, &what);
        match denials.iter().position(same) {
            Some(known) => denials[known].times = denials[known].times.saturating_add(1),
            None if denials.len() < LISTED => denials.push(Denial {
                kind,
                what,
                is_whole,
                reason,
                times: 1,
            }),
            None => {}
        }
    }

    pub fn take(&self) -> Vec<Denial> {
        std::mem::take(&mut self.0.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::Policy;
    use crate::runtime::{Environment, SandboxOptions};
    use crate::secret::Redactor;
    use Reason::NotGranted;

    #[test]
    fn what_was_asked_for_is_cleaned_before_it_is_cut() {
        let secret = crate::secret::Secret::from("hunter22");
        let denials = Denials::new(&Sandbox::new(SandboxOptions {
            policy: &Policy::default(),
            working_directory: Path::new("/"),
            variables: Arc::new(Environment {
                variables: [].into(),
                redactor: Redactor::new([&secret]),
            }),
        }));
        let padding = "x".repeat(NAME - 4);
        denials.record(DenialKind::Lookup, "hunter22.example", NotGranted);
        denials.record(DenialKind::Read, &format!("{padding}hunter22"), NotGranted);
        let denials = denials.take();
        assert_eq!(denials[0].what.raw(), "[redacted].example");
        assert_eq!(denials[1].what.raw(), format!("{padding}[red…"));
        assert!(denials[0].is_whole && !denials[1].is_whole);
    }

    #[test]
    fn repeats_are_counted_and_floods_bounded() {
        let denials = Denials::new(&Sandbox::deny_all());
        for _ in 0..3 {
            denials.record(DenialKind::Lookup, "a.example", NotGranted);
        }
        for n in 0..100 {
            denials.record(
                DenialKind::Read,
                &format!("/{n}{}", "x".repeat(1000)),
                NotGranted,
            );
        }
        let denials = denials.take();
        assert_eq!((denials.len(), denials[0].times), (LISTED, 3));
        assert!(
            denials
                .iter()
                .all(|denial| denial.what.raw().chars().count() <= NAME + 1)
        );
    }
}
