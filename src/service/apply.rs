//! `apply`: changes the root to match a manifest.

use std::sync::Arc;

use url::Url;

use crate::install::{self, Applied, Compile, ManyProgress, Order, Proposal};
use crate::manifest::{Exported, ManifestError};
use crate::reference::Reference;
use crate::store::{Entry, Store, read_evidence};

use super::{Error, Service};

/// Largest manifest from the web, in bytes.
const LARGEST: usize = 1 << 20;

impl Service {
    /// Stages all wanted components that are not installed, and returns the planned changes.
    /// Installed components are not changed.
    ///
    /// # Errors
    ///
    /// [`install::Error::NotAll`] when a component fails and the order stops at failures.
    pub async fn propose(
        &self,
        order: &Order,
        progress: &dyn ManyProgress,
    ) -> Result<Proposal, Error> {
        Ok(Box::pin(self.installer.propose(order, progress)).await?)
    }

    /// Makes the proposed changes, all of them or none, and offers the resulting tools.
    ///
    /// # Errors
    ///
    /// Those of [`install::Installer::carry_out`]; nothing is then changed.
    pub async fn apply(
        self: &Arc<Self>,
        proposal: Proposal,
        progress: &dyn ManyProgress,
    ) -> Result<(), Error> {
        let carried_out = self.installer.carry_out(proposal, progress);
        let Applied {
            installed,
            settled,
            removed,
            locks,
        } = Box::pin(carried_out).await?;
        for installed in &installed {
            self.sandboxes.forget(&installed.metadata.component_id);
            // The code is compiled at the first call, or after the first tool list.
            self.offer(installed, Compile::Wait).await?;
        }
        for id in &settled {
            self.sandboxes.forget(id);
            let metadata = self.installed(id).await?.metadata;
            self.follow_reach(&metadata).await?;
            let offered = self.disk.run(move |store| store.offered(&metadata));
            let offered = offered.await?;
            if !self.toolbox.offers(id, &offered) {
                self.list_tools(id, offered);
            }
        }
        for id in &removed {
            self.withdraw(id);
        }
        drop(locks);
        Ok(())
    }

    /// The installed components with their grants, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When a component or its policy is damaged, because the export would be incomplete.
    pub async fn export(&self) -> Result<Vec<Exported>, Error> {
        let look = |store: &Store| {
            let mut exported = Vec::new();
            for entry in store.list()? {
                match entry {
                    Entry::Sound(installed) => {
                        let metadata = installed.metadata;
                        let evidence = read_evidence(&installed.files);
                        let root = evidence.ok().flatten().and_then(|one| one.trusted_root);
                        let signer = metadata.trust.signer();
                        exported.push(Exported {
                            trust: signer.map(|signer| signer.id.rule(root.as_deref())),
                            granted: store.granted(&metadata.component_id)?.policy,
                            tools: store.recorded_rules(&metadata.component_id)?,
                            digest: install::content_digest(&metadata),
                            id: metadata.component_id,
                            source: metadata.source,
                        });
                    }
                    Entry::Damaged { id, reason, .. } => {
                        return Err(crate::store::StoreError::Damaged { id, reason });
                    }
                }
            }
            exported.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(exported)
        };
        Ok(self.disk.run(look).await??)
    }

    /// Fetches the text of a manifest from a web address, and checks it against the digest in the
    /// address.
    ///
    /// # Errors
    ///
    /// When it cannot be fetched, is too large, or does not match the digest.
    pub async fn manifest_at(&self, url: &Url) -> Result<String, Error> {
        let reference = Reference::Https(url.clone());
        let fetcher = &self.installer.fetcher;
        let fetched = fetcher.document(&reference, LARGEST).await;
        let bytes = fetched.map_err(install::Error::from)?;
        String::from_utf8(bytes.into()).map_err(|error| {
            let file = reference.shown().to_string();
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
            ManifestError::Read { file, source }.into()
        })
    }
}
