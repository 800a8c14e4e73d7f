use clap::Args;

use crate::error::{Class, Diagnose};
use crate::reference::ComponentId;
use crate::service::{Inspection, Target};

use super::authorities::AuthorityArgs;
use super::credentials::CredentialArgs;
use super::output::{self, Present, listed, pairs, size};
use super::progress::Bar;
use super::{Failure, Global, Opening, block_on, parse_reference};

/// Show what a component exports, imports and asks for, without running it
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette inspect calc
  wassette inspect oci://ghcr.io/microsoft/time-server-js:latest -o json")]
pub struct Inspect {
    /// Id of an installed component, or a URI (which is not installed)
    #[arg(value_name = "ID|URI")]
    target: String,

    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Inspect {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let target = self.target()?;
        let given = match &target {
            Target::Source(reference) => self.credentials.given(reference)?,
            Target::Installed(id) => {
                self.needs_no_source(id)?;
                None
            }
        };
        let service = global.open(Opening {
            given,
            ca: self.authorities.ca,
            ..Opening::default()
        })?;
        let bar = Bar::new();
        let inspection = block_on(async { Ok(service.inspect(target, &bar).await?) })?;
        drop(bar);
        output::print(&inspection, global.output);
        Ok(())
    }

    fn needs_no_source(&self, id: &ComponentId) -> Result<(), NeedlessOption> {
        let given = [
            ("--username", self.credentials.are_given()),
            ("--ca", !self.authorities.ca.is_empty()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(NeedlessOption {
                option,
                id: id.clone(),
            }),
        }
    }

    /// What reads as an id is one; an address or a path has a `:`, `/` or `.`.
    fn target(&self) -> Result<Target, Failure> {
        if let Ok(id) = ComponentId::parse(&self.target) {
            return Ok(Target::Installed(id));
        }
        Ok(Target::Source(parse_reference(&self.target)?))
    }
}

/// An option for fetching, where nothing is fetched.
#[derive(Debug, thiserror::Error)]
#[error("`{option}` is for addresses, and `{id}` is an installed component")]
struct NeedlessOption {
    option: &'static str,
    id: ComponentId,
}

impl Diagnose for NeedlessOption {
    fn code(&self) -> &'static str {
        "needless-option"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("leave it out, or inspect the address that the component comes from".into())
    }
}

impl Present for Inspection {
    fn table(&self) -> String {
        let mut rows = vec![
            ("component", self.component_id.to_string()),
            ("source", self.source.to_string()),
            ("digest", self.digests.component.to_string()),
        ];
        if let Some(manifest) = self.digests.manifest {
            rows.push(("OCI manifest", manifest.to_string()));
        }
        rows.extend([
            ("size", size(self.size)),
            ("trust", self.trust.to_string()),
            ("world", self.world.clone()),
            ("imports", listed(&self.imports)),
            ("exports", listed(&self.exports)),
        ]);
        let tools = self.tools.iter();
        let tools: Vec<String> = tools
            .map(|tool| format!("{}: {}", tool.normalized_name, tool.description))
            .collect();
        rows.push(("tools", listed(&tools)));
        if !self.not_callable.is_empty() {
            let functions = self.not_callable.iter();
            let functions: Vec<String> = functions
                .map(|function| format!("{}: {}", function.name, function.reason))
                .collect();
            rows.push(("not callable", listed(&functions)));
        }
        if let Some(permissions) = &self.requested_permissions {
            rows.push(("requests", permissions.to_string()));
        }
        format!("{}\n\n{}", pairs(&rows), self.wit)
    }
}
