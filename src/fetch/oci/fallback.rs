//! Asking the next host when one fails.

use super::Registry;
use super::endpoint::Endpoint;
use crate::fetch::error::{Failure, Passed};

impl Registry<'_> {
    /// Asks one host after the other until one answers. Only what may be
    /// different at another host is asked again.
    pub(super) async fn first<'a, T, F>(
        &self,
        endpoints: &'a [Endpoint],
        ask: impl Fn(&'a Endpoint) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut earlier = Vec::new();
        for endpoint in endpoints {
            let host = endpoint.authority();
            // Also when it cannot even be asked, for want of a certificate.
            self.meter.note_host(host);
            let failure = match ask(endpoint).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if failure.is_of_one_host() => failure,
                Err(failure) => return Err(failure),
            };
            let passed = Passed {
                host: host.to_owned(),
                failure,
            };
            if earlier.len() + 1 == endpoints.len() {
                return Err(Failure::of_hosts(earlier, passed));
            }
            report(&passed);
            earlier.push(passed);
        }
        // `Endpoint::all` gives at least one.
        unreachable!("no host was to be asked")
    }
}

/// A host that has not got something is no news; one that sends something else is.
fn report(passed: &Passed) {
    match passed.failure {
        Failure::Mismatch { .. } => tracing::warn!("the next host is asked: {passed}"),
        _ => tracing::info!("the next host is asked: {passed}"),
    }
}
