//! Registries, and who the user is there.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{Finding, State};
use crate::fetch::{Network, Reached};
use crate::reference::Reference;
use crate::service::Service;

/// How long one registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 16;

impl Service {
    pub(super) fn check_credentials(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (path, registries) in self.fetcher.credential_files() {
            let shown = path.display();
            findings.push(match registries {
                Ok(registries) => Finding::ok(
                    "credentials",
                    format!("`{shown}` names {registries} registries"),
                ),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Finding::problem("credentials", format!("`{shown}`: {error}"))
                    .advise("mend the file, or log in with `wassette login`"),
            });
        }
        if findings.is_empty() {
            let none = "none are stored: every pull is anonymous";
            findings.push(Finding::new("credentials", State::Skipped, none));
        }
        findings
    }

    /// Asks the registries of what is installed and those that have mirrors.
    pub(super) async fn check_registries(self: &Arc<Self>) -> (Vec<Finding>, Vec<Reached>) {
        let mut registries: BTreeSet<String> = self.fetcher.mirrored_registries().collect();
        for metadata in self.sound().unwrap_or_default() {
            if let Reference::Oci(oci) = metadata.source {
                registries.insert(oci.registry().to_owned());
            }
        }
        let skipped = |why: &str| vec![Finding::new("registries", State::Skipped, why)];
        if self.network == Network::Off {
            return (skipped("the network is off"), Vec::new());
        }
        if registries.is_empty() {
            return (
                skipped("no component is from one, and none is configured"),
                Vec::new(),
            );
        }
        let asked = stream::iter(registries).map(|registry| async move {
            let asked = self.fetcher.reach(&registry);
            let answer = tokio::time::timeout(PATIENCE, asked).await;
            (registry, answer)
        });
        let mut findings = Vec::new();
        let mut reached = Vec::new();
        let mut asked = asked.buffered(AT_ONCE);
        while let Some((registry, answer)) = asked.next().await {
            findings.push(match answer {
                Ok(Ok(answer)) => {
                    reached.push(answer);
                    Finding::ok("registry", format!("`{registry}` answers"))
                }
                Ok(Err(error)) => Finding::failed("registry", &error),
                Err(_) => {
                    let seconds = PATIENCE.as_secs();
                    let found = format!("`{registry}` does not answer within {seconds} s");
                    Finding::problem("registry", found)
                        .advise("check the network and the proxy settings")
                }
            });
        }
        (findings, reached)
    }
}
