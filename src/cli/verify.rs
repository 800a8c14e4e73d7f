use std::path::PathBuf;

use clap::Args;

use crate::error::{Class, Diagnose};
use crate::install::FoundSignature;
use crate::reference::ComponentId;
use crate::service::{Health, SignatureReport, VerifyRequest};

use super::authorities::AuthorityArgs;
use super::credentials::CredentialArgs;
use super::output::{self, Present};
use super::signers::SignerArgs;
use super::table::{listed, pairs};
use super::{Failure, Global, Opening, block_on, parse_source};

/// Show who signed a component, and check that it is whom you expect
///
/// Succeeds when what the options ask for, and the rule that config.toml has for
/// it, is met. Without either, all signatures are shown, and it fails.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette verify oci://ghcr.io/acme/weather:1.2 --key acme.pub
  wassette verify oci://ghcr.io/microsoft/time-server-js:latest \\
    --certificate-identity-regexp '^https://github\\.com/microsoft/wassette/.*$' \\
    --certificate-oidc-issuer https://token.actions.githubusercontent.com
  wassette verify ./weather.wasm --bundle weather.wasm.sigstore.json --key acme.pub")]
pub struct Verify {
    /// oci://, https://, file://, oci-layout://, a path or a catalog name
    #[arg(value_name = "SOURCE")]
    source: String,

    /// Sigstore bundles of this file (JSON, or JSON lines), not those stored beside it
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,

    #[command(flatten)]
    signers: SignerArgs,
    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

/// No signer was given, and no rule names one.
#[derive(Debug, thiserror::Error)]
#[error("No trusted signer is given")]
struct NobodyNamed;

impl Diagnose for NobodyNamed {
    fn code(&self) -> &'static str {
        "no-signer-named"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            "give `--key`, or `--certificate-identity` and `--certificate-oidc-issuer`, or a rule \
             in config.toml"
                .into(),
        )
    }
}

/// The name is that of an installed component, and not in the catalog.
#[derive(Debug, thiserror::Error)]
#[error("`{id}` is an installed component, and not in the catalog")]
struct NoSource {
    id: ComponentId,
    source_of_it: String,
}

impl Diagnose for NoSource {
    fn code(&self) -> &'static str {
        "source-needed"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let (id, source) = (&self.id, &self.source_of_it);
        Some(format!(
            "`wassette verify {source}` checks where it came from; `wassette inspect {id}` shows \
             what was verified when it was installed"
        ))
    }
}

/// The failure for a source that is the id of an installed component.
fn installed(text: &str, global: &Global) -> Option<Failure> {
    let id = ComponentId::parse(text).ok()?;
    let service = global.open(Opening::default()).ok()?;
    let installed = block_on(async { Ok(service.list().await?) }).ok()?;
    let found = installed.into_iter().find(|component| component.id == id)?;
    let Health::Ok { source, .. } = found.health else {
        return None;
    };
    let source_of_it = source.to_string();
    Some(NoSource { id, source_of_it }.into())
}

impl Verify {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let located = parse_source(&self.source, global);
        let located = located.map_err(|failure| installed(&self.source, global).unwrap_or(failure));
        let reference = located?.reference;
        let service = global.open(Opening {
            given: self.credentials.given(&reference)?,
            ca: self.authorities.ca,
            ..Opening::default()
        })?;
        let request = VerifyRequest {
            reference,
            expected: self.signers.expectation()?,
            bundle: self.bundle,
        };
        let mut report = block_on(async { Ok(service.verify(request).await?) })?;
        output::print(&report, global.output)?;
        match (report.refusal.take(), report.asked_by) {
            (Some(refusal), _) => Err(refusal.into()),
            (None, None) => Err(NobodyNamed.into()),
            (None, Some(_)) => Ok(()),
        }
    }
}

impl Present for SignatureReport {
    fn table(&self) -> String {
        let mut rows = vec![
            ("source", self.reference.to_string()),
            ("digest", self.digest.to_string()),
        ];
        if let Some(asked_by) = &self.asked_by {
            rows.push(("asked by", asked_by.clone()));
        }
        let found: Vec<String> = self.signatures.iter().map(told).collect();
        rows.push(("signatures", listed(&found)));
        if !self.unanswered.is_empty() {
            rows.push(("no answer", listed(&self.unanswered)));
        }
        let verdict = match (self.verified, &self.asked_by) {
            (true, _) => "verified",
            (false, Some(_)) => "not verified",
            (false, None) => "no trusted signer is given",
        };
        rows.push(("verdict", verdict.into()));
        pairs(&rows)
    }
}

fn told(signature: &FoundSignature) -> String {
    let mut text = signature.what.clone();
    if let Some(signer) = &signature.signer {
        text.push_str(&format!(": signed by {signer}"));
    }
    if let Some(time) = signature.signed_at {
        text.push_str(&format!(", at {time}"));
    }
    if let Some(index) = signature.log_index {
        text.push_str(&format!(", log index {index}"));
    }
    if !signature.checks.is_empty() {
        text.push_str(&format!("; verified: {}", signature.checks.join(", ")));
    }
    if let Some(reason) = &signature.reason {
        text.push_str(&format!(": {reason}"));
    }
    text
}
