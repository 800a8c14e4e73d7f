//! Grants: people give and revoke what components may do.
//!
//! A change is in force at the next call, in every process that serves the same root.

mod futile;
mod report;
mod sandboxes;
mod variables;

use std::path::Path;
use std::sync::Arc;

use crate::install::{Question, is_the_one};
use crate::policy::{Permission, Policy, Revoked};
use crate::reference::ComponentId;
use crate::store::{Granted, Grantor, Metadata, Origin, Standing, Store};

use super::{Error, Service};

pub use report::{PolicyReport, ReportedGrant};

pub(super) use sandboxes::Sandboxes;

impl Service {
    /// A component's grants and requests.
    ///
    /// # Errors
    ///
    /// [`StoreError`](crate::store::StoreError) when the component is not installed,
    /// or when it or its policy is damaged.
    pub async fn policy(&self, id: &ComponentId) -> Result<PolicyReport, Error> {
        let installed = self.installed(id).await?;
        let wanted = id.clone();
        let granted = self.disk.run(move |store| store.granted(&wanted)).await??;
        Ok(self.report(&installed.metadata, &granted))
    }

    /// Grants one permission; granting it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::FutileGrant`] when it would allow nothing, otherwise as
    /// [`Service::policy`]; nothing is then changed.
    pub async fn grant(
        self: &Arc<Self>,
        id: &ComponentId,
        permission: Permission,
        origin: Origin,
    ) -> Result<PolicyReport, Error> {
        let (component, root) = (id.clone(), self.disk.layout().root().to_owned());
        self.edit(id, origin, move |_, policy| {
            add(&component, policy, permission, &root)
        })
        .await
    }

    /// The question whether the installed component may have one more permission.
    ///
    /// # Errors
    ///
    /// As [`Service::policy`].
    pub async fn question(
        &self,
        id: &ComponentId,
        permission: Permission,
    ) -> Result<Question, Error> {
        let metadata = self.installed(id).await?.metadata;
        Ok(Question::new(&metadata, vec![permission], Vec::new()))
    }

    /// Grants what a person agreed to, if the component is still the one they were
    /// asked about.
    ///
    /// # Errors
    ///
    /// [`Error::ComponentChanged`] when another component was installed under the id
    /// since, otherwise as [`Service::grant`].
    pub async fn grant_asked(
        self: &Arc<Self>,
        question: Question,
        origin: Origin,
    ) -> Result<PolicyReport, Error> {
        let Question {
            component_id,
            digest,
            permissions,
            ..
        } = question;
        let (id, root) = (component_id.clone(), self.disk.layout().root().to_owned());
        self.edit(&id, origin, move |component, policy| {
            if !is_the_one(component, digest) {
                return Err(Error::ComponentChanged { id: component_id });
            }
            for permission in permissions {
                add(&component_id, policy, permission, &root)?;
            }
            Ok(())
        })
        .await
    }

    /// Revokes one permission.
    ///
    /// # Errors
    ///
    /// [`Error::NotGranted`] when no grant is equal to it, otherwise as
    /// [`Service::grant`].
    pub async fn revoke(
        self: &Arc<Self>,
        id: &ComponentId,
        permission: Permission,
        origin: Origin,
    ) -> Result<PolicyReport, Error> {
        let component = id.clone();
        self.edit(id, origin, move |_, policy| {
            match policy.revoke(&permission) {
                Revoked::Removed => Ok(()),
                Revoked::NotGranted => Err(Error::NotGranted {
                    id: component,
                    permission: Box::new(permission),
                    granted: policy.permissions(),
                }),
            }
        })
        .await
    }

    /// Revokes all permissions, also when the policy is damaged.
    ///
    /// # Errors
    ///
    /// As [`Service::grant`].
    pub async fn reset(
        self: &Arc<Self>,
        id: &ComponentId,
        origin: Origin,
    ) -> Result<PolicyReport, Error> {
        self.set_policy(id, Policy::default(), origin).await
    }

    /// Replaces the grants by those of `policy`.
    ///
    /// # Errors
    ///
    /// As [`Service::grant`], but a damaged policy is replaced.
    pub async fn set_policy(
        self: &Arc<Self>,
        id: &ComponentId,
        policy: Policy,
        origin: Origin,
    ) -> Result<PolicyReport, Error> {
        let installed = self.installed(id).await?;
        let grantor = Grantor::from(origin);
        let change = move |standing: Standing| {
            let granted = standing.granted.unwrap_or_default();
            Ok(granted.changed(policy, &grantor))
        };
        let granted = self.change_grants(id, change).await?;
        self.follow_reach(&installed.metadata).await?;
        Ok(self.report(&installed.metadata, &granted))
    }

    async fn edit(
        self: &Arc<Self>,
        id: &ComponentId,
        origin: Origin,
        edit: impl FnOnce(Option<&Metadata>, &mut Policy) -> Result<(), Error> + Send + 'static,
    ) -> Result<PolicyReport, Error> {
        let installed = self.installed(id).await?;
        let grantor = Grantor::from(origin);
        let change = move |standing: Standing| {
            let granted = standing.granted?;
            let mut policy = granted.policy.clone();
            edit(standing.component.as_deref(), &mut policy)?;
            Ok(granted.changed(policy, &grantor))
        };
        let granted = self.change_grants(id, change).await?;
        self.follow_reach(&installed.metadata).await?;
        Ok(self.report(&installed.metadata, &granted))
    }

    /// Runs on a blocking thread, because it waits for a lock and for the disk.
    async fn change_grants(
        self: &Arc<Self>,
        id: &ComponentId,
        change: impl FnOnce(Standing) -> Result<Granted, Error> + Send + 'static,
    ) -> Result<Granted, Error> {
        let component = id.clone();
        let work = move |store: &Store| store.change_grants(&component, change);
        let granted = self.disk.run(work).await??;
        self.sandboxes.forget(id);
        Ok(granted)
    }
}

/// Adds a permission that is not granted yet.
///
/// # Errors
///
/// [`Error::FutileGrant`] when it would allow nothing.
fn add(
    id: &ComponentId,
    policy: &mut Policy,
    permission: Permission,
    root: &Path,
) -> Result<(), Error> {
    if policy.permissions().contains(&permission) {
        return Ok(());
    }
    if let Some(reason) = futile::futile(&permission, policy, root) {
        return Err(Error::FutileGrant {
            id: id.clone(),
            permission: Box::new(permission),
            reason,
        });
    }
    if let Some(remark) = futile::remark(&permission) {
        tracing::warn!("{remark}");
    }
    policy.grant(permission);
    Ok(())
}
