use clap::Args;
use serde::Serialize;

use crate::error::{Class, Diagnose};
use crate::reference::ComponentId;
use crate::service::{Inspection, Target};

use super::authorities::AuthorityArgs;
use super::credentials::CredentialArgs;
use super::output::{self, Present};
use super::progress::Bar;
use super::table::{listed, pairs, size};
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

    /// Show WASI's own WIT too
    #[arg(long)]
    wit: bool,

    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

/// A component in the form in which it is shown.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    inspection: Inspection,
    #[serde(skip)]
    wit: Wit,
}

/// How much of the WIT is shown to people; programs get all of it.
enum Wit {
    Whole,
    WithoutWasi,
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
        let wit = match self.wit {
            true => Wit::Whole,
            false => Wit::WithoutWasi,
        };
        output::print(&Shown { inspection, wit }, global.output)?;
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

    /// A text that parses as an id is one; references and paths contain a `:`, `/` or
    /// `.`.
    fn target(&self) -> Result<Target, Failure> {
        if let Ok(id) = ComponentId::parse(&self.target) {
            return Ok(Target::Installed(id));
        }
        Ok(Target::Source(parse_reference(&self.target)?))
    }
}

/// An option for fetching was given with an installed component.
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

impl Present for Shown {
    fn table(&self) -> String {
        let wit = match self.wit {
            Wit::Whole => self.inspection.wit.clone(),
            Wit::WithoutWasi => without_wasi(&self.inspection.wit),
        };
        format!("{}\n\n{wit}", self.inspection.rows())
    }
}

/// The WIT without the packages of WASI, which are published elsewhere.
fn without_wasi(wit: &str) -> String {
    let mut kept = String::new();
    let mut left_out = 0;
    let mut lines = wit.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("package wasi:") && line.ends_with('{') {
            left_out += 1;
            // A package ends at the first unindented closing brace.
            lines.by_ref().find(|line| *line == "}");
        } else {
            kept.extend([line, "\n"]);
        }
    }
    if left_out > 0 {
        kept.push_str("// `--wit` shows the packages of WASI as well\n");
    }
    kept
}

impl Inspection {
    fn rows(&self) -> String {
        let imports =
            self.imports
                .iter()
                .map(|import| match self.unknown_imports.contains(import) {
                    true => format!("{import}  (not provided: the component cannot be loaded)"),
                    false => import.clone(),
                });
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
            ("imports", listed(&imports.collect::<Vec<_>>())),
            ("exports", listed(&self.exports)),
        ]);
        let tools = self.tools.iter();
        let tools: Vec<String> = tools
            .map(|tool| {
                let record = &tool.record;
                let offered = match (&tool.offered_as, tool.hidden) {
                    (_, true) => " (hidden by a rule)".into(),
                    (Some(name), _) => format!(" (offered as {name})"),
                    (None, _) => String::new(),
                };
                format!(
                    "{}{offered}: {}",
                    record.normalized_name, record.description
                )
            })
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
        pairs(&rows)
    }
}
