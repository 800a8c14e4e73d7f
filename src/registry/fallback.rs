//! Asking again, and asking the next host, when one fails.

use std::error::Error as StdError;
use std::fmt;

use super::endpoint::Endpoint;
use super::{Error, Remote, Repository};
use crate::net::{self, Retry};

/// Tells failures of one host from those that every host would have.
pub(crate) trait HostFault: StdError {
    /// Whether another host may do better: what it sends is the same wherever
    /// its digest is right.
    fn is_of_one_host(&self) -> bool;

    /// Whether the host fails whatever it is asked for.
    fn is_of_host(&self) -> bool;

    /// Whether the host sent something else than what its digest names.
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

/// What the hosts said together.
#[derive(Debug)]
pub(crate) struct Tried<E> {
    /// Of the registry itself, wherever it stands; of the last host where the
    /// registry was not asked.
    pub error: E,
    /// Each host and why it failed, where there was more than one.
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

/// A host that was asked and failed.
struct Failed<E> {
    /// `host[:port]`.
    host: String,
    is_upstream: bool,
    error: E,
}

impl<E: HostFault> Failed<E> {
    /// The host and the whole reason, on one line.
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
    /// Asks one host after the other until one answers. Only what may be
    /// different at another host is asked again; a mirror that is down is left
    /// alone for the rest of the transfer.
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

    /// Asks one host; the inner error is one that another host may not have.
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
        // Also when it cannot even be asked, for want of a certificate.
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
    /// Asks again when an answer breaks off, as often as this host is retried.
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
