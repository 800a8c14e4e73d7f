//! Falls back to the next host, and retries interrupted responses.

use std::error::Error as StdError;
use std::fmt;

use super::endpoint::Endpoint;
use super::{Error, Remote, Repository};
use crate::net::{self, Retry};

/// Distinguishes failures of one host from failures that all hosts would have.
pub(crate) trait HostFault: StdError {
    /// Whether another host may succeed. Any host's content is acceptable if
    /// its digest matches.
    fn is_of_one_host(&self) -> bool;

    /// Whether the host itself fails, so that other requests to it would fail
    /// too.
    fn is_of_host(&self) -> bool;

    /// Whether the content did not match its digest or size.
    fn is_wrong_content(&self) -> bool;
}

impl HostFault for Error {
    fn is_of_one_host(&self) -> bool {
        !matches!(
            self,
            Error::Net(net::Error::Offline { .. }) | Error::NoHost { .. } | Error::Hosts(_)
        )
    }

    fn is_of_host(&self) -> bool {
        self.net().is_some_and(net::Error::is_of_host)
    }

    fn is_wrong_content(&self) -> bool {
        matches!(self, Error::Mismatch { .. })
    }
}

/// The combined error of several hosts.
#[derive(Debug)]
pub(crate) struct Tried<E> {
    /// The error of the registry itself, or of the last host if the registry
    /// was not asked.
    pub error: E,
    /// Each host and its error, if several were asked.
    pub tried: Vec<String>,
}

impl From<Error> for Tried<Error> {
    fn from(error: Error) -> Self {
        Tried {
            error,
            tried: Vec::new(),
        }
    }
}

/// The failure of one host.
struct Failed<E> {
    /// `host[:port]`.
    host: String,
    is_upstream: bool,
    error: E,
}

impl<E: HostFault> Failed<E> {
    /// The host and the error with all causes, on one line.
    fn line(&self) -> String {
        struct Chain<'a>(&'a dyn StdError);
        impl fmt::Display for Chain<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)?;
                match self.0.source() {
                    Some(cause) => write!(f, ": {}", Chain(cause)),
                    None => Ok(()),
                }
            }
        }
        format!("{}: {}", self.host, Chain(&self.error))
    }

    fn log(&self) {
        match self.error.is_wrong_content() {
            true => tracing::warn!("the next host is asked: {}", self.line()),
            false => tracing::info!("the next host is asked: {}", self.line()),
        }
    }
}

impl<'a> Repository<'a> {
    /// Asks the hosts in order until one succeeds. Stops at an error that every
    /// host would have. A mirror that is down is skipped for the rest of the
    /// transfer.
    pub async fn first<'s, T, E, F>(&'s self, ask: impl Fn(Remote<'s>) -> F) -> Result<T, Tried<E>>
    where
        'a: 's,
        E: HostFault,
        F: Future<Output = Result<T, E>>,
    {
        let Some((last, mirrors)) = self.endpoints.split_last() else {
            unreachable!("`Endpoint::all` gives at least one");
        };
        let mut earlier = Vec::new();
        for mirror in mirrors {
            if self.transfer.is_down(mirror.authority()) {
                continue;
            }
            match self.one(mirror, &ask).await? {
                Ok(answer) => return Ok(answer),
                Err(failed) => {
                    failed.log();
                    earlier.push(failed);
                }
            }
        }
        match self.one(last, &ask).await? {
            Ok(answer) => Ok(answer),
            Err(failed) => Err(together(earlier, failed)),
        }
    }

    /// Asks one host. The inner error is one that another host may not have.
    async fn one<'s, T, E, F>(
        &'s self,
        endpoint: &'s Endpoint,
        ask: &impl Fn(Remote<'s>) -> F,
    ) -> Result<Result<T, Failed<E>>, Tried<E>>
    where
        'a: 's,
        E: HostFault,
        F: Future<Output = Result<T, E>>,
    {
        let host = endpoint.authority();
        // Recorded even if no request can be sent, such as for lack of a
        // certificate.
        self.transfer.meter.note_host(host);
        match ask(self.remote(endpoint)).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) if error.is_of_one_host() => {
                if error.is_of_host() {
                    self.transfer.note_down(host);
                }
                Ok(Err(Failed {
                    host: host.to_owned(),
                    is_upstream: endpoint.is_upstream(),
                    error,
                }))
            }
            Err(error) => Err(Tried {
                error,
                tried: Vec::new(),
            }),
        }
    }
}

fn together<E: HostFault>(mut earlier: Vec<Failed<E>>, last: Failed<E>) -> Tried<E> {
    if earlier.is_empty() {
        return Tried {
            error: last.error,
            tried: Vec::new(),
        };
    }
    let upstream = earlier.iter().position(|one| one.is_upstream);
    earlier.push(last);
    let tried = earlier.iter().map(Failed::line).collect();
    let speaker = upstream.unwrap_or(earlier.len() - 1);
    Tried {
        error: earlier.swap_remove(speaker).error,
        tried,
    }
}

impl Remote<'_> {
    /// Repeats a request whose response body was interrupted, up to the host's
    /// number of retries.
    pub(super) async fn whole<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let retry = self.endpoint.retry();
        let mut budget = self.client.http.retry_budget(&self.transfer.meter, retry);
        loop {
            match ask().await {
                Err(error) if error.is_of_body() && !budget.is_spent() => {
                    let reason = error.net().map(net::Error::chain).unwrap_or_default();
                    let retry = Retry {
                        host: self.endpoint.authority(),
                        reason: &reason,
                        after: None,
                    };
                    budget.pause(retry).await;
                }
                result => return result,
            }
        }
    }
}
