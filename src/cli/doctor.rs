use clap::Args;

use crate::error::{Class, Diagnose};
use crate::service::{Diagnosis, State};

use super::authorities::AuthorityArgs;
use super::output::{self, Present};
use super::progress::Bar;
use super::table::grid;
use super::{Failure, Global, Opening, block_on};

/// Check the root, credentials, registries, engine and clock, and say what to do
#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening {
            ca: self.authorities.ca,
            ..Opening::default()
        })?;
        let bar = Bar::new();
        let diagnosis = block_on(async { Ok(service.diagnose().await) })?;
        drop(bar);
        output::print(&diagnosis, global.output)?;
        match diagnosis.problems() {
            0 => Ok(()),
            problems => Err(Unwell { problems }.into()),
        }
    }
}

impl Present for Diagnosis {
    fn table(&self) -> String {
        let rows = self.findings.iter().map(|finding| {
            let state = match finding.state {
                State::Ok => "ok",
                State::Skipped => "skipped",
                State::Warning => "warning",
                State::Problem => "problem",
            };
            vec![
                finding.check.into(),
                state.into(),
                finding.found.clone().into(),
            ]
        });
        let mut text = grid(&["CHECK", "STATE", "FOUND"], rows.collect());
        let advised = self.findings.iter().filter_map(|finding| {
            let advice = finding.advice.as_ref()?;
            Some(format!("{}: {advice}", finding.check))
        });
        let advice: Vec<String> = advised.collect();
        if !advice.is_empty() {
            text.push_str(&format!("\n\nwhat to do\n  {}", advice.join("\n  ")));
        }
        text
    }
}

/// Some checks found a problem.
#[derive(Debug, thiserror::Error)]
#[error("Checks that found a problem: {problems}")]
struct Unwell {
    problems: usize,
}

impl Diagnose for Unwell {
    fn code(&self) -> &'static str {
        "doctor-found-problems"
    }

    fn class(&self) -> Class {
        Class::Other
    }
}
