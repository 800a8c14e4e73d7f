//! What agents may load, and how much they are told about local files.

use std::path::Path;
use std::sync::Arc;

use crate::config::AgentsConfig;
use crate::fetch::{Progress, Step};
use crate::install::{self, Consent, LoadOutcome, LoadRequest};
use crate::reference::Reference;

use super::{Error, Service};

/// From where clients can reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audience {
    /// Over standard input and output, or on a loopback address.
    #[default]
    ThisMachine,
    Others,
}

impl Service {
    /// The configuration's settings for agents.
    pub fn agents(&self) -> &AgentsConfig {
        &self.agents
    }

    /// Whether agents may load this reference: what the configuration allows or,
    /// without that setting, any registry and URL, and files for clients on this
    /// machine. Blocks, because it resolves links in a path.
    fn admits(&self, reference: &Reference) -> bool {
        let Some(listed) = &self.agents.sources else {
            return !is_local(reference) || self.audience == Audience::ThisMachine;
        };
        resolved(reference)
            .is_some_and(|resolved| listed.iter().any(|pattern| pattern.covers(&resolved)))
    }

    /// As [`Service::load`], for an agent, and only from the sources that agents may
    /// use. Neither the error nor the progress reveals which local files exist.
    ///
    /// # Errors
    ///
    /// [`Error::SourceNotAllowed`]; [`Error::NotForAgents`] for a file that is
    /// missing, unreadable, not allowed or no component; otherwise as
    /// [`Service::load`].
    pub async fn load_for_agent(
        self: &Arc<Self>,
        request: LoadRequest,
        progress: &dyn Progress,
        consent: &dyn Consent,
    ) -> Result<LoadOutcome, Error> {
        let id = request.id()?;
        // Sources are about the artifact, whatever name it was asked for by.
        let request = self.installer.located(&id, &request).await?.into_owned();
        let source_shown = request.reference.shown();
        let (service, reference) = (self.clone(), request.reference.clone());
        let is_local = is_local(&reference);
        let admit = move || service.admits(&reference);
        let admitted = tokio::task::spawn_blocking(admit).await?;
        if !is_local {
            return match admitted {
                true => Box::pin(self.load(request, progress, consent)).await,
                false => Err(Error::SourceNotAllowed { source_shown }),
            };
        }
        if !admitted {
            return Err(Error::NotForAgents { source_shown });
        }
        let progress = FromVerifying(progress);
        match Box::pin(self.load(request, &progress, consent)).await {
            Err(Error::Install(install::Error::Fetch(error))) => {
                let report = crate::error::Report::new(&error);
                tracing::info!("an agent's load failed: {report}");
                Err(Error::NotForAgents { source_shown })
            }
            loaded => loaded,
        }
    }
}

/// Reports progress only from verification on: earlier steps would reveal which files
/// exist.
struct FromVerifying<'a>(&'a dyn Progress);

impl Progress for FromVerifying<'_> {
    fn step(&self, step: Step) {
        if matches!(step, Step::Verifying | Step::Compiling) {
            self.0.step(step);
        }
    }
}

fn is_local(reference: &Reference) -> bool {
    matches!(reference, Reference::File(_) | Reference::Layout(_))
}

/// The reference with all links in its path resolved; `None` if there is no such
/// file.
fn resolved(reference: &Reference) -> Option<Reference> {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    match reference {
        Reference::File(path) => canonical(path).map(Reference::File),
        Reference::Layout(layout) => {
            // A link in a layout's path is refused, not followed.
            let is_canonical = canonical(layout.path()).as_deref() == Some(layout.path());
            is_canonical.then(|| reference.clone())
        }
        reference => Some(reference.clone()),
    }
}
