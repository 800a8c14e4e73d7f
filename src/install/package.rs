//! Resolves package names before all other steps, because trust rules and allowed sources apply to
//! the artifact.

use std::borrow::Cow;

use crate::error::{Class, Diagnose};
use crate::net::Network;
use crate::reference::{ComponentId, Reference};
use crate::store::Metadata;

use super::{Error, Installer, LoadRequest, Order, Unreachable, Wanted};

impl Installer {
    /// Replaces a package name in a request with the artifact's reference. Offline, a package name
    /// means the component that was installed by this name.
    ///
    /// # Errors
    ///
    /// If the package is not found.
    pub async fn located<'a>(
        &self,
        id: &ComponentId,
        request: &'a LoadRequest,
    ) -> Result<Cow<'a, LoadRequest>, Error> {
        let package = &request.reference;
        if !matches!(package, Reference::Package(_)) {
            return Ok(Cow::Borrowed(request));
        }
        let reference = match self.installed_by(id, package).await? {
            Some(installed) if self.rules.network == Network::Off => installed.source,
            _ => self.fetcher.locate(package).await?,
        };
        Ok(request.found_at(&reference))
    }

    /// Like [`located`](Self::located) for an entry of a manifest. The locked reference takes
    /// precedence, and then a component that was installed by this name with the entry's digest.
    pub(super) async fn located_entry<'a>(
        &self,
        wanted: &'a Wanted,
        order: &Order,
    ) -> Result<Cow<'a, Wanted>, Error> {
        let package = &wanted.reference;
        if !matches!(package, Reference::Package(_)) {
            return Ok(Cow::Borrowed(wanted));
        }
        let at = |reference: Reference| Wanted {
            reference,
            package: Some(package.clone()),
            ..wanted.clone()
        };
        if let Some(artifact) = wanted.locked.as_ref().and_then(|one| one.artifact.clone()) {
            return Ok(Cow::Owned(at(artifact)));
        }
        let installed = self.installed_by(&wanted.id, package).await?;
        let in_place = installed.map(|installed| (at(installed.source.clone()), installed));
        if let Some((in_place, installed)) = &in_place
            && (self.rules.network == Network::Off || in_place.is_named_by(installed))
        {
            return Ok(Cow::Owned(in_place.clone()));
        }
        let error = match self.fetcher.locate(package).await {
            Ok(reference) => return Ok(Cow::Owned(at(reference))),
            Err(error) => error,
        };
        match in_place {
            Some((in_place, _))
                if order.unreachable == Unreachable::TakesInstalled
                    && error.class() == Class::Network =>
            {
                Ok(Cow::Owned(in_place))
            }
            _ => Err(error.into()),
        }
    }

    /// Returns the component with this id if it was installed by this package name.
    async fn installed_by(
        &self,
        id: &ComponentId,
        package: &Reference,
    ) -> Result<Option<Metadata>, Error> {
        let (id, package) = (id.clone(), package.clone());
        let look = self
            .disk
            .run(move |store| store.get(&id).unwrap_or_default());
        let installed = look.await?.map(|installed| installed.metadata);
        Ok(installed.filter(|installed| installed.package.as_ref() == Some(&package)))
    }
}
