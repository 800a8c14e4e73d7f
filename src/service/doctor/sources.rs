//! Checks registries and the credentials for them.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{Finding, State};
use crate::net::Network;
use crate::reference::Reference;
use crate::registry::Reached;
use crate::service::Service;
use crate::store::Metadata;

/// How long to wait for one registry.
const PATIENCE: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 16;

impl Service {
    pub(super) fn check_credentials(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (path, registries) in self.installer.fetcher.registries().credential_files() {
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

    /// Contacts the registries of installed components, the registries with mirrors,
    /// and the mirrors.
    pub(super) async fn check_registries(
        &self,
        installed: &[Metadata],
    ) -> (Vec<Finding>, Vec<Reached>) {
        let registries = self.registries(installed);
        let none = match (self.installer.rules.network, registries.is_empty()) {
            (Network::Off, _) => Some("the network is off"),
            (_, true) => Some("no component is from one, and none is configured"),
            _ => None,
        };
        if let Some(why) = none {
            let skipped = Finding::new("registries", State::Skipped, why);
            return (vec![skipped], Vec::new());
        }
        let asked = stream::iter(registries).map(|registry| self.check_registry(registry));
        let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
        let (findings, reached): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        (findings, reached.into_iter().flatten().collect())
    }

    fn registries(&self, installed: &[Metadata]) -> BTreeSet<String> {
        let configured = self.installer.fetcher.registries().mirrored();
        let mut registries: BTreeSet<String> = configured.collect();
        for metadata in installed {
            if let Reference::Oci(oci) = &metadata.source {
                registries.insert(oci.registry().to_owned());
            }
        }
        let mirrors = self
            .installer
            .fetcher
            .registries()
            .mirrors_of(registries.iter());
        registries.extend(mirrors);
        registries
    }

    async fn check_registry(&self, registry: String) -> (Finding, Option<Reached>) {
        let asked = self.installer.fetcher.registries().reach(&registry);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => {
                let found = format!("`{registry}` answers");
                (Finding::ok("registry", found), Some(answer))
            }
            Ok(Err(error)) => (Finding::failed("registry", &error), None),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                let found = format!("`{registry}` does not answer within {seconds} s");
                let finding = Finding::problem("registry", found)
                    .advise("check the network and the proxy settings");
                (finding, None)
            }
        }
    }
}
