use clap::{Args, Subcommand};

use crate::config::Required;
use crate::service::{Explanation, RuleReport, TrustReport};

use super::output::{self, Present};
use super::table::{Cell, grid, listed, pairs};
use super::{Failure, Global, Opening, block_on, parse_source};

/// Show the rules about signatures, and which of them is about what
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette trust list
  wassette trust explain oci://ghcr.io/acme/weather:1.2")]
pub struct Trust {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show the rules of config.toml, and what in them may not be meant
    List,
    /// Show which rule decides about a component, why, and what it requires; fetches nothing
    Explain {
        /// oci://, https://, file://, oci-layout://, a path or a catalog name
        #[arg(value_name = "SOURCE")]
        source: String,
    },
}

impl Trust {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let opening = Opening::default();
        match self.verb {
            Verb::List => {
                let service = global.open(opening)?;
                output::print(&service.trust_rules(), global.output)?;
            }
            Verb::Explain { source } => {
                let reference = parse_source(&source, global)?.reference;
                let service = global.open(opening)?;
                let explain = async { Ok(service.explain_trust(&reference).await?) };
                output::print(&block_on(explain)?, global.output)?;
            }
        }
        Ok(())
    }
}

impl Present for TrustReport {
    fn table(&self) -> String {
        let rows: Vec<Vec<Cell>> = self.rules.iter().map(row).collect();
        let mut text = match rows.is_empty() {
            true => {
                "config.toml has no rules: signatures are reported, and none is required".into()
            }
            false => grid(&["SCOPE", "REQUIRES", "SIGNERS", "DENIES"], rows),
        };
        for remark in &self.remarks {
            text.push_str(&format!("\n\nnote: {remark}"));
        }
        text
    }
}

fn row(rule: &RuleReport) -> Vec<Cell> {
    let denied = match rule.deny.len() {
        0 => "-".to_owned(),
        1 => "1 digest".to_owned(),
        many => format!("{many} digests"),
    };
    vec![
        rule.scope.clone().into(),
        required(rule.require).into(),
        Cell::Names(rule.signers.clone()),
        denied.into(),
    ]
}

fn required(require: Option<Required>) -> &'static str {
    match require {
        Some(Required::Signature) => "signature",
        Some(Required::Digest) => "digest",
        Some(Required::None) => "none",
        None => "-",
    }
}

impl Present for Explanation {
    fn table(&self) -> String {
        let rules: Vec<String> = self
            .rules
            .iter()
            .map(|one| {
                let decides = if one.decides {
                    "decides"
                } else {
                    "does not decide"
                };
                let (scope, reason) = (&one.rule.scope, &one.reason);
                let require = required(one.rule.require);
                format!("`{scope}` (requires {require}) {decides}: {reason}")
            })
            .collect();
        let mut rows = vec![
            ("source", self.reference.to_string()),
            ("rules", listed(&rules)),
            ("required", self.required.join("\nand ")),
        ];
        if !self.denied.is_empty() {
            let denied: Vec<String> = self.denied.iter().map(ToString::to_string).collect();
            rows.push(("denied", listed(&denied)));
        }
        pairs(&rows)
    }
}
