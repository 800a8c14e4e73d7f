//! Asking again, and asking the next host, when one fails.

use super::Registry;
use super::endpoint::Endpoint;
use crate::fetch::error::{Failed, Failure, Passed};

impl Registry<'_> {
    /// Asks one host after the other until one answers. Only what may be
    /// different at another host is asked again; a mirror that is down is left
    /// alone for the rest of the fetch.
    pub(super) async fn first<'a, T, F>(
        &self,
        endpoints: &'a [Endpoint],
        ask: impl Fn(&'a Endpoint) -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let Some((last, mirrors)) = endpoints.split_last() else {
            unreachable!("`Endpoint::all` gives at least one");
        };
        let mut earlier = Vec::new();
        for mirror in mirrors {
            if self.meter.is_down(mirror.authority()) {
                continue;
            }
            match self.one(mirror, &ask).await? {
                Ok(answer) => return Ok(answer),
                Err(passed) => {
                    report(&passed);
                    earlier.push(passed);
                }
            }
        }
        match self.one(last, &ask).await? {
            Ok(answer) => Ok(answer),
            Err(passed) => Err(Failed::of_hosts(earlier, passed)),
        }
    }

    /// Asks a host again when an answer breaks off, as long as it is waited for.
    pub(super) async fn whole<T, F>(
        &self,
        endpoint: &Endpoint,
        ask: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut patience = self.http.patience(self.meter, endpoint.persistence());
        loop {
            match ask().await {
                Err(failure) if failure.is_of_body() && !patience.is_over() => {
                    patience.pause(None).await;
                }
                result => return result,
            }
        }
    }

    /// Asks one host; the inner error is one that another host may not have.
    async fn one<'a, T, F>(
        &self,
        endpoint: &'a Endpoint,
        ask: &impl Fn(&'a Endpoint) -> F,
    ) -> Result<Result<T, Passed>, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let host = endpoint.authority();
        // Also when it cannot even be asked, for want of a certificate.
        self.meter.note_host(host);
        match ask(endpoint).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(failure) if failure.is_of_one_host() => {
                if matches!(&failure, Failure::Http(error) if error.is_of_host()) {
                    self.meter.note_down(host);
                }
                Ok(Err(Passed {
                    host: host.to_owned(),
                    is_upstream: endpoint.is_upstream(),
                    failure,
                }))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// A host that has not got something is no news; one that sends something else is.
fn report(passed: &Passed) {
    match passed.failure {
        Failure::Mismatch { .. } => tracing::warn!("the next host is asked: {passed}"),
        _ => tracing::info!("the next host is asked: {passed}"),
    }
}
