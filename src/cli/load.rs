use std::path::PathBuf;

use clap::Args;

use crate::digest::Digest;
use crate::reference::ComponentId;
use crate::service::{
    Compile, Described, LoadOutcome, LoadRequest, LoadStatus, Origin, PolicyChoice, Uncallable,
};
use crate::verify::Verification;

use super::authorities::AuthorityArgs;
use super::consent::Prompt;
use super::credentials::CredentialArgs;
use super::output::{self, Present, listed, pairs};
use super::progress::Bar;
use super::{Failure, Global, Opening, block_on, parse_reference, policy};

/// Fetch, verify, compile and install a component
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette load --uri ./calc.wasm
  wassette load --uri oci://ghcr.io/microsoft/time-server-js:latest --name time
  wassette load --uri https://example.com/tool.wasm --digest sha256:9f2c…
  wassette load --uri https://registry.lan/tool.wasm --ca ./company-ca.pem
  wassette load --uri oci://ghcr.io/acme/weather:1.2 --policy weather.yaml")]
pub struct Load {
    /// Where the component is: oci://, https:// (a `#sha256=…` pins it), file://, oci-layout:// or a path
    #[arg(long, value_name = "URI")]
    uri: String,

    /// Id to install it under [default: from the URI]
    #[arg(long, value_name = "ID")]
    name: Option<ComponentId>,

    /// Digest that the OCI manifest or the component must have
    #[arg(long, value_name = "sha256:…", conflicts_with = "skip_verification")]
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

    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Load {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let request = LoadRequest {
            reference: parse_reference(&self.uri)?,
            name: self.name,
            digest: self.digest,
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
            origin: Origin::Cli,
        };
        let given = self.credentials.given(&request.reference)?;
        let service = global.open(Opening {
            given,
            ca: self.authorities.ca,
            ..Opening::default()
        })?;
        service.sweep();
        let bar = Bar::new();
        let prompt = Prompt { bar: &bar };
        let outcome = block_on(async { Ok(service.load(request, &bar, &prompt).await?) })?;
        drop(bar);
        output::print(&outcome, global.output);
        Ok(())
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
        if !self.remarks.is_empty() {
            rows.push(("odd", listed(&self.remarks)));
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
