use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::catalog::Located;
use crate::digest::Digest;
use crate::error::{Class, Diagnose, Report};
use crate::reference::ComponentId;
use crate::service::{
    Compile, Described, LoadOutcome, LoadRequest, LoadStatus, Origin, PolicyChoice, Service,
    SignerRequest, Uncallable,
};
use crate::text::Foreign;
use crate::verify::Verification;

use super::authorities::AuthorityArgs;
use super::consent::Prompt;
use super::credentials::CredentialArgs;
use super::output::{self, Format, Present};
use super::progress::Bar;
use super::signers::{self, SignerArgs};
use super::table::{listed, pairs};
use super::{Failure, Global, Opening, Root, block_on, parse_source, policy, usage};

/// Fetch, verify, compile and install components
#[derive(Args)]
#[command(after_help = "\
A word without `/`, `.` and `:` is a name of the catalog, which `wassette registry
list` shows. Several sources are loaded one after the other, each by itself.

Examples:
  wassette load ./calc.wasm
  wassette load get-weather-js
  wassette load acme:weather@^1.2
  wassette load oci://ghcr.io/microsoft/time-server-js:latest --name time
  wassette load https://example.com/tool.wasm --digest sha256:9f2c...
  wassette load https://registry.lan/tool.wasm --ca ./company-ca.pem
  wassette load oci://ghcr.io/acme/weather:1.2 --policy weather.yaml
  wassette load oci://ghcr.io/acme/weather:1.2 --key acme.pub")]
pub struct Load {
    /// oci://, https:// (a `#sha256=...` pins it), file://, oci-layout://, a path, a catalog name, or
    /// a package name such as acme:weather@^1.2
    #[arg(value_name = "SOURCE", required_unless_present = "uri")]
    sources: Vec<String>,

    /// The same as SOURCE
    #[arg(long, value_name = "SOURCE")]
    uri: Vec<String>,

    /// Id to install it under [default: from the source]
    #[arg(long, value_name = "ID")]
    name: Option<ComponentId>,

    /// Digest that the OCI manifest or the component must have
    #[arg(long, value_name = "sha256:...", conflicts_with = "skip_verification")]
    digest: Option<Digest>,

    /// Install even if its config lists other layers than its OCI manifest; recorded, and shown by `list`
    #[arg(long)]
    skip_verification: bool,

    /// Compile again even when compiled code is there
    #[arg(long)]
    force_compile: bool,

    /// Grant all that the component asks for, without a question
    #[arg(long)]
    grant_requested: bool,

    /// Grant what this policy file says and nothing else, whatever the component asks for
    #[arg(long, value_name = "FILE", conflicts_with = "grant_requested")]
    policy: Option<PathBuf>,

    /// Accept a version with another signer than the installed one, or unsigned
    #[arg(long)]
    accept_signer: bool,

    #[command(flatten)]
    signers: SignerArgs,
    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

/// The outcome for several sources.
#[derive(Serialize)]
struct Loads {
    components: Vec<LoadOutcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failed>,
}

#[derive(Serialize)]
struct Failed {
    source: Foreign,
    error: Report,
    #[serde(skip)]
    class: Class,
}

impl Load {
    pub(super) fn run(mut self, global: &Global) -> Result<(), Failure> {
        let sources = [self.uri.split_off(0), self.sources.split_off(0)].concat();
        if let [source] = &*sources {
            let found = parse_source(source, global)?;
            let given = self.credentials.given(&found.reference)?;
            let service = self.open(given, global)?;
            let outcome = self.load(&service, found)?;
            return Ok(output::print(&outcome, global.output)?);
        }
        self.takes_several()?;
        let service = self.open(None, global)?;
        let mut loads = Loads {
            components: Vec::new(),
            failures: Vec::new(),
        };
        for source in sources {
            let loaded = parse_source(&source, global).and_then(|found| self.load(&service, found));
            match loaded {
                Ok(outcome) => loads.components.push(outcome),
                Err(error) if error.class() == Class::Interrupted => return Err(error),
                Err(error) if error.class() == Class::Terminated => return Err(error),
                Err(error) => {
                    let report = Report::new(error.as_ref());
                    if global.output == Format::Table {
                        output::print_error(&report, Format::Table);
                    }
                    loads.failures.push(Failed {
                        source: source.into(),
                        error: report,
                        class: error.class(),
                    });
                }
            }
        }
        output::print(&loads, global.output)?;
        match loads.failures.first() {
            None => Ok(()),
            Some(first) => Err(NotLoaded {
                failed: loads.failures.len(),
                all: loads.failures.len() + loads.components.len(),
                class: first.class,
            }
            .into()),
        }
    }

    fn open(
        &self,
        given: Option<crate::registry::Given>,
        global: &Global,
    ) -> Result<std::sync::Arc<Service>, Failure> {
        let service = global.open(Opening {
            root: Root::MayBeNew,
            given,
            ca: self.authorities.ca.clone(),
            ..Opening::default()
        })?;
        service.sweep();
        Ok(service)
    }

    fn load(
        &self,
        service: &std::sync::Arc<Service>,
        found: Located,
    ) -> Result<LoadOutcome, Failure> {
        let request = self.request(found)?;
        let bar = Bar::new();
        let prompt = Prompt { bar: &bar };
        block_on(async { Ok(service.load(request, &bar, &prompt).await?) })
    }

    fn request(&self, found: Located) -> Result<LoadRequest, Failure> {
        Ok(LoadRequest {
            reference: found.reference,
            package: None,
            name: self.name.clone(),
            digest: self.digest.or(found.digest),
            locked: None,
            verification: if self.skip_verification {
                Verification::Skipped
            } else {
                Verification::Required
            },
            compile: if self.force_compile {
                Compile::Force
            } else {
                Compile::Wait
            },
            policy: match (&self.policy, self.grant_requested) {
                (Some(file), _) => PolicyChoice::Given(Box::new(policy::read(file)?)),
                (None, true) => PolicyChoice::GrantRequested,
                (None, false) => PolicyChoice::Bundled,
            },
            signers: SignerRequest {
                expected: self.signers.expectation()?,
                rule: None,
                change: signers::change(self.accept_signer),
            },
            origin: Origin::Cli,
            manifest: None,
        })
    }

    /// Refuses options that can apply to only one source.
    fn takes_several(&self) -> Result<(), Failure> {
        let given = [
            ("--name", self.name.is_some()),
            ("--digest", self.digest.is_some()),
            ("--policy", self.policy.is_some()),
            ("--username", self.credentials.are_given()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(usage::conflict(
                "load",
                format!("`{option}` is for one source; load the others by themselves"),
            )),
        }
    }
}

impl Present for Loads {
    fn table(&self) -> String {
        let loaded = self.components.iter().map(Present::table);
        loaded.collect::<Vec<_>>().join("\n\n")
    }
}

/// Some sources could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {all} sources could not be loaded")]
struct NotLoaded {
    failed: usize,
    all: usize,
    /// The class of the first error.
    class: Class,
}

impl Diagnose for NotLoaded {
    fn code(&self) -> &'static str {
        "load-failed"
    }

    fn class(&self) -> Class {
        self.class
    }
}

impl Present for LoadOutcome {
    fn table(&self) -> String {
        let receipt = &self.receipt;
        let mut rows = vec![
            ("component", self.component_id.to_string()),
            (
                "status",
                match self.status {
                    LoadStatus::New => "new",
                    LoadStatus::Replaced => "replaced",
                    LoadStatus::AlreadyLoaded => "already loaded",
                }
                .into(),
            ),
            ("tools", listed(&self.tool_names)),
            (
                "no tools",
                listed(&self.not_callable.iter().map(told).collect::<Vec<_>>()),
            ),
            ("digest", receipt.transfer.content_digest.to_string()),
            ("trust", receipt.trust.to_string()),
        ];
        rows.retain(|(label, _)| *label != "no tools" || !self.not_callable.is_empty());
        for (label, permissions) in [
            ("granted", &self.granted_permissions),
            ("not granted", &self.not_granted),
        ] {
            if !permissions.is_empty() {
                rows.push((label, described(permissions)));
            }
        }
        if let Some(source) = &self.source {
            rows.insert(1, ("source", source.to_string()));
        }
        if !self.remarks.is_empty() {
            rows.push(("note", listed(&self.remarks)));
        }
        if !self.not_granted.is_empty() {
            let id = &self.component_id;
            let how = format!(
                "`wassette permission grant …`, or load with `--grant-requested`; see `wassette policy get {id}`"
            );
            rows.push(("to grant", how));
        }
        rows.push(("time", format!("{} ms", receipt.total_ms)));
        pairs(&rows)
    }
}

fn told(function: &Uncallable) -> String {
    format!("{}: {}", function.name, function.reason)
}

fn described(permissions: &[Described]) -> String {
    let lines = permissions.iter().map(|one| one.description.clone());
    listed(&lines.collect::<Vec<_>>())
}
