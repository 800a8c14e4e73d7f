//! Resolves a package name to the artifact of one of its versions.

use super::Fetcher;
use super::error::{Failed, FetchError};
use crate::net;
use crate::reference::{OciReference, PackageReference, Reference};
use crate::registry::{self, Capability, PackageError, Transfer};

/// Largest number of versions listed in an error.
const NAMED: usize = 8;

impl Fetcher {
    /// Resolves a package name to the tag of its highest matching version. Returns any other
    /// reference unchanged.
    ///
    /// # Errors
    ///
    /// If no registry is configured for the package, the registry cannot be reached, or no version
    /// matches.
    pub async fn locate(&self, reference: &Reference) -> Result<Reference, FetchError> {
        let Reference::Package(package) = reference else {
            return Ok(reference.clone());
        };
        self.online(reference)?;
        // Boxed, because its callers' futures are large and rarely need it.
        let located = Box::pin(self.locate_package(package)).await;
        let located = located.map_err(|failed| failed.of(reference))?;
        tracing::info!("`{reference}` is `{located}`");
        Ok(located)
    }

    async fn locate_package(&self, package: &PackageReference) -> Result<Reference, Failed> {
        let transfer = Transfer::default();
        let repository = self.client.package_repository(package, &transfer).await?;
        let name = format!(
            "oci://{}/{}",
            repository.registry(),
            repository.repository()
        );
        let version = match package.exact_version() {
            Some(version) => version.clone(),
            None => {
                let tags = self.tags_of_package(&repository, &transfer).await?;
                package
                    .choose(&tags)
                    .ok_or_else(|| no_version(name.clone(), &tags))?
            }
        };
        let located = format!("{name}:{version}").parse();
        // Every version without build metadata is a valid tag, unless it is too long.
        located.map_err(|_| no_version(name, &[]).into())
    }

    async fn tags_of_package(
        &self,
        repository: &OciReference,
        transfer: &Transfer,
    ) -> Result<Vec<String>, Failed> {
        let resolve = Capability::Resolve;
        let asked = self.client.repository(repository, resolve, transfer)?;
        let tags = asked.first(async |remote| remote.tags().await).await;
        tags.map_err(|failed| match failed.error.net() {
            Some(net::Error::Refused { status, .. }) if *status == http::StatusCode::NOT_FOUND => {
                let repository = format!(
                    "oci://{}/{}",
                    repository.registry(),
                    repository.repository()
                );
                registry::Error::from(PackageError::Absent { repository }).into()
            }
            _ => failed.into(),
        })
    }
}

fn no_version(repository: String, tags: &[String]) -> registry::Error {
    let versions = tags
        .iter()
        .filter_map(|tag| semver::Version::parse(tag).ok());
    let mut versions: Vec<_> = versions.collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    PackageError::NoVersion {
        repository,
        versions: versions
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect(),
    }
    .into()
}
