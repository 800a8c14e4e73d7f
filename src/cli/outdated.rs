use clap::Args;
use serde::Serialize;

use crate::error::{Class, Diagnose};
use crate::service::{Freshness, Outdated as Component};

use super::authorities::AuthorityArgs;
use super::output::{self, Present};
use super::progress::Bar;
use super::table::{Cell, grid};
use super::{Failure, Global, Opening, block_on};

/// Show which installed components have another version at their source
///
/// Each source is asked with one request; nothing is downloaded.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette outdated
  wassette outdated -o json | jq -r '.components[] | select(.status == \"outdated\").component_id'")]
pub struct Outdated {
    #[command(flatten)]
    authorities: AuthorityArgs,
}

#[derive(Serialize)]
struct Listing {
    components: Vec<Component>,
}

impl Outdated {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening {
            ca: self.authorities.ca,
            ..Opening::default()
        })?;
        let bar = Bar::new();
        let components = block_on(async { Ok(service.outdated().await?) })?;
        drop(bar);
        let listing = Listing { components };
        output::print(&listing, global.output)?;
        match listing.failed() {
            0 => Ok(()),
            failed => Err(Unasked {
                failed,
                all: listing.components.len(),
            }
            .into()),
        }
    }
}

impl Listing {
    fn failed(&self) -> usize {
        let failed = |one: &&Component| matches!(one.freshness, Freshness::Failed { .. });
        self.components.iter().filter(failed).count()
    }
}

impl Present for Listing {
    fn table(&self) -> String {
        if self.components.is_empty() {
            return "No components are installed".into();
        }
        let rows = self.components.iter().map(|one| {
            let (status, detail) = told(&one.freshness);
            vec![
                one.component_id.to_string().into(),
                status.into(),
                one.source.to_string().into(),
                detail,
            ]
        });
        grid(&["ID", "STATUS", "SOURCE", ""], rows.collect())
    }
}

fn told(freshness: &Freshness) -> (&'static str, Cell) {
    match freshness {
        Freshness::Current => ("current", "".into()),
        Freshness::Outdated { available, .. } => (
            "outdated",
            available
                .map_or_else(String::new, |digest| format!("now {digest}"))
                .into(),
        ),
        Freshness::Pinned => ("pinned", "".into()),
        Freshness::Unknown => ("unknown", "its server names no version".into()),
        Freshness::Failed { error } => ("failed", Cell::prose(&error.message)),
    }
}

/// Some sources did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {all} sources could not be checked")]
struct Unasked {
    failed: usize,
    all: usize,
}

impl Diagnose for Unasked {
    fn code(&self) -> &'static str {
        "sources-not-asked"
    }

    fn class(&self) -> Class {
        Class::Network
    }

    fn hint(&self) -> Option<String> {
        Some("`-o json` shows why, with a hint for each".into())
    }
}
