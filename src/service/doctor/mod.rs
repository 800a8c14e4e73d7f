//! `doctor`: checks the program's surroundings, and advises what to fix.

mod clock;
mod engine;
mod files;
mod sources;

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Diagnose, Report};

use super::Service;

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Ok,
    /// There was nothing to check, or the check was not allowed.
    Skipped,
    /// The program works, but not as well as it could.
    Warning,
    /// Something does not work.
    Problem,
}

/// The result of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub state: State,
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The results of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    pub findings: Vec<Finding>,
}

impl Service {
    /// Checks the root, credentials, registries, engine and clock. Creates the root
    /// if there is none, and changes nothing else.
    pub async fn diagnose(self: &Arc<Self>) -> Diagnosis {
        let service = self.clone();
        let files = move || (service.check_files(), service.check_credentials());
        let files = tokio::task::spawn_blocking(files).await;
        let (mut findings, credentials) = files.unwrap_or_else(|error| {
            let failed = Finding::failed("root", &super::Error::from(error));
            (vec![failed], Vec::new())
        });
        findings.extend(credentials);
        let installed = self.installer.installed_at_once().await.unwrap_or_default();
        let (reached, asked) = self.check_registries(&installed).await;
        findings.extend(reached);
        findings.push(self.check_engine().await);
        findings.push(clock::check_clock(&asked, &installed));
        Diagnosis { findings }
    }
}

impl Diagnosis {
    /// How many checks found a problem.
    pub fn problems(&self) -> usize {
        let problem = |finding: &&Finding| finding.state == State::Problem;
        self.findings.iter().filter(problem).count()
    }
}

impl Finding {
    fn new(check: &'static str, state: State, found: impl Into<String>) -> Self {
        Finding {
            check,
            state,
            found: found.into(),
            advice: None,
        }
    }

    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Finding::new(check, State::Ok, found)
    }

    fn problem(check: &'static str, found: impl Into<String>) -> Self {
        Finding::new(check, State::Problem, found)
    }

    /// A problem from an error with its causes; its hint becomes the advice.
    fn failed(check: &'static str, error: &dyn Diagnose) -> Self {
        let Report {
            message,
            causes,
            hint,
            ..
        } = Report::new(error);
        let parts: Vec<String> = std::iter::once(message).chain(causes).collect();
        Finding {
            advice: hint,
            ..Finding::problem(check, parts.join(": "))
        }
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Finding {
            advice: Some(advice.into()),
            ..self
        }
    }
}
