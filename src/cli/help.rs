use clap::{Args, Command};

use crate::error::{Class, Diagnose};
use crate::text::{Foreign, nearest};

use super::screen::Stream;
use super::{Failure, output};

/// The pages of `docs/`, by their names.
const PAGES: [(&str, &str); 20] = [
    ("architecture", include_str!("../../docs/architecture.md")),
    ("authors", include_str!("../../docs/authors.md")),
    ("benchmarks", include_str!("../../docs/benchmarks.md")),
    ("catalogs", include_str!("../../docs/catalogs.md")),
    (
        "coming-from-microsoft",
        include_str!("../../docs/coming-from-microsoft.md"),
    ),
    ("configuration", include_str!("../../docs/configuration.md")),
    ("errors", include_str!("../../docs/errors.md")),
    ("faq", include_str!("../../docs/faq.md")),
    ("fleets", include_str!("../../docs/fleets.md")),
    ("permissions", include_str!("../../docs/permissions.md")),
    ("policies", include_str!("../../docs/policy.md")),
    ("sandbox", include_str!("../../docs/sandbox.md")),
    ("secrets", include_str!("../../docs/secrets.md")),
    ("server", include_str!("../../docs/server.md")),
    ("store", include_str!("../../docs/store.md")),
    (
        "troubleshooting",
        include_str!("../../docs/troubleshooting.md"),
    ),
    ("trust", include_str!("../../docs/trust.md")),
    ("tutorial", include_str!("../../docs/tutorial.md")),
    ("updates", include_str!("../../docs/updates.md")),
    ("values", include_str!("../../docs/values.md")),
];

/// Show the help of a command, or a page of the documentation
#[derive(Args)]
pub struct Help {
    /// A command, such as `load` or `cache prune`, or the name of a page
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

impl Help {
    /// Shows the help of a command, or else the page with this name.
    pub(super) fn run(self, program: &mut Command) -> Result<(), Failure> {
        program.build();
        let mut command = Some(program);
        for word in &self.words {
            command = command.and_then(|command| command.find_subcommand_mut(word));
        }
        if let Some(command) = command {
            let text = command.render_long_help();
            return Ok(output::write(&format!("{text}"))?);
        }
        let topic = self.words.join(" ");
        // Messages refer to pages as `docs/policy.md`.
        let name = topic.strip_prefix("docs/").unwrap_or(&topic);
        let name = name.strip_suffix(".md").unwrap_or(name);
        let name = if name == "policy" { "policies" } else { name };
        match PAGES.iter().find(|(known, _)| *known == name) {
            Some((_, page)) => Ok(output::write(&Stream::Stdout.fit(page))?),
            None => Err(UnknownTopic {
                similar: nearest(name, PAGES.map(|(known, _)| known)),
                topic: topic.into(),
            }
            .into()),
        }
    }
}

/// The list of pages, for the end of the program's help.
pub fn topics() -> String {
    let names: Vec<&str> = PAGES.iter().map(|(name, _)| *name).collect();
    format!(
        "Pages that `wassette help TOPIC` shows:\n  {}",
        names.join(", ")
    )
}

/// There is no such command or page.
#[derive(Debug, thiserror::Error)]
#[error("There is no command and no page `{topic}`")]
struct UnknownTopic {
    topic: Foreign,
    similar: Vec<&'static str>,
}

impl Diagnose for UnknownTopic {
    fn code(&self) -> &'static str {
        "unknown-topic"
    }

    fn class(&self) -> Class {
        Class::NotFound
    }

    fn hint(&self) -> Option<String> {
        Some(match self.similar.first() {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => topics().replace('\n', ""),
        })
    }
}
