//! The HTTP client: which hosts may be spoken to how, redirects, and bodies
//! that cannot grow without bound.

mod clients;
mod error;
#[cfg(test)]
mod tests;
mod tls;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::{Client, Response};
use tokio::sync::OnceCell;
use url::Url;

pub use error::HttpError;

use super::hosts::Access;
use super::{FetchOptions, Network, Secret};
use crate::reference::is_loopback;
use clients::HostClients;

const MAX_REDIRECTS: u32 = 8;

/// Counts what one fetch costs.
#[derive(Debug, Default)]
pub(super) struct Meter {
    requests: AtomicU32,
    bytes: AtomicU64,
    hosts: Mutex<Vec<String>>,
}

impl Meter {
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes that a host is asked.
    pub fn tried(&self, host: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    }

    pub fn hosts_tried(&self) -> Vec<String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.clone()
    }
}

/// One request; redirects are followed.
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    pub accept: Option<&'static str>,
    /// Only ever sent to the origin of `url`.
    pub authorization: Option<HeaderValue>,
    /// Only for the origin of `url`.
    pub access: Access,
    /// The body; it goes to `url` and nowhere else.
    pub form: Option<Form>,
}

/// A body in the form of `application/x-www-form-urlencoded`.
pub(super) struct Form {
    pub body: Bytes,
    /// What in it nobody may see.
    pub secret: Secret,
}

/// The secrets of a request, noted on its response: a server may repeat them.
#[derive(Clone)]
struct Sent(Vec<Secret>);

impl Sent {
    fn of(authorization: Option<&HeaderValue>, form: Option<&Form>) -> Self {
        let mut secrets: Vec<Secret> = form.iter().map(|form| form.secret.clone()).collect();
        let header = authorization.and_then(|value| value.to_str().ok());
        if let Some((_, credentials)) = header.and_then(|text| text.split_once(' ')) {
            secrets.push(credentials.into());
            let pair = BASE64_STANDARD.decode(credentials).ok();
            let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
            let secret = pair.as_deref().and_then(|pair| pair.split_once(':'));
            secrets.extend(secret.map(|(_, secret)| secret.into()));
        }
        Sent(secrets)
    }
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Request {
            method,
            url,
            accept: None,
            authorization: None,
            access: Access::default(),
            form: None,
        }
    }
}

/// Two clients, each made at first use: loading the system's certificates
/// takes many times longer than a request to a local registry.
pub(super) struct Http {
    options: FetchOptions,
    plain: OnceCell<Client>,
    secure: OnceCell<Client>,
    others: HostClients,
}

impl Http {
    pub fn new(options: &FetchOptions) -> Self {
        Http {
            options: options.clone(),
            plain: OnceCell::new(),
            secure: OnceCell::new(),
            others: HostClients::default(),
        }
    }

    /// Whether plain HTTP may be spoken to `host` or `host:port`.
    pub fn allows_plain(&self, host: &str, host_and_port: &str) -> bool {
        is_loopback(host)
            || self.options.plain_http.iter().any(|allowed| {
                allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(host_and_port)
            })
    }

    /// Sends the request and follows redirects. Any status is an `Ok`.
    pub async fn send(&self, request: Request, meter: &Meter) -> Result<Response, HttpError> {
        let Request {
            method,
            mut url,
            accept,
            mut authorization,
            mut access,
            form,
        } = request;
        // The last gate; the first is in `Fetcher`, before any work is done.
        if self.options.network == Network::Off {
            return Err(HttpError::Offline {
                host: host(&url).to_owned(),
            });
        }
        for _ in 0..=MAX_REDIRECTS {
            let options = self.options(&access);
            let client = match access.is_usual() {
                true => self.client(&url).await?.clone(),
                false => self.others.get(&access, &url, &options).await?,
            };
            let mut builder = client.request(method.clone(), url.clone());
            if let Some(accept) = accept {
                builder = builder.header(header::ACCEPT, accept);
            }
            if let Some(value) = &authorization {
                builder = builder.header(header::AUTHORIZATION, value.clone());
            }
            if let Some(Form { body, .. }) = &form {
                builder = builder
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(body.clone());
            }
            meter.requests.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%method, host = host(&url), path = url.path(), "request");
            let mut response = builder
                .send()
                .await
                .map_err(|error| HttpError::transport(&url, error, &options))?;
            tracing::debug!(status = %response.status(), "response");
            let Some(next) = self.redirect(&url, &response)? else {
                let sent = Sent::of(authorization.as_ref(), form.as_ref());
                response.extensions_mut().insert(sent);
                return Ok(response);
            };
            if form.is_some() {
                return Err(HttpError::redirect(&url, "it would carry secrets along"));
            }
            // What authorises at one origin is no business of another.
            if next.origin() != url.origin() {
                authorization = None;
                access = Access::default();
            }
            url = next;
        }
        Err(HttpError::redirect(&url, "it goes on for too long"))
    }

    fn redirect(&self, from: &Url, response: &Response) -> Result<Option<Url>, HttpError> {
        let followed = matches!(
            response.status(),
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        if !followed {
            return Ok(None);
        }
        let mut next = response
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| from.join(location).ok())
            .ok_or_else(|| HttpError::redirect(from, "it names no address"))?;
        // The client would turn these into an Authorization header.
        let cleared = next.set_username("").and_then(|()| next.set_password(None));
        if cleared.is_err() || next.host_str().is_none() {
            return Err(HttpError::redirect(from, "it names no host"));
        }
        match next.scheme() {
            "https" => Ok(Some(next)),
            "http" if from.origin() == next.origin() => Ok(Some(next)),
            "http" if from.scheme() == "http" && self.allows_plain_url(&next) => Ok(Some(next)),
            "http" => Err(HttpError::redirect(from, "it leads to plain HTTP")),
            _ => Err(HttpError::redirect(from, "it leads out of HTTP")),
        }
    }

    /// Whether plain HTTP may be spoken to the host of `url`.
    pub fn allows_plain_url(&self, url: &Url) -> bool {
        let host = host(url);
        let with_port = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        self.allows_plain(host, &with_port)
    }

    /// The options as they are for one host.
    fn options(&self, access: &Access) -> Cow<'_, FetchOptions> {
        match access.dial_timeout {
            None => Cow::Borrowed(&self.options),
            Some(timeout) => Cow::Owned(FetchOptions {
                connect_timeout: timeout.duration(),
                ..self.options.clone()
            }),
        }
    }

    async fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        let options = self.options.clone();
        if url.scheme() == "https" {
            // Reads and parses a hundred certificates.
            let build = || async {
                tokio::task::spawn_blocking(move || tls::secure(&options, &Access::default()))
                    .await
                    .map_err(HttpError::setup)?
            };
            self.secure.get_or_try_init(build).await
        } else {
            self.plain
                .get_or_try_init(|| async move { tls::plain(&options) })
                .await
        }
    }
}

/// Host of the URL; those of http and https always have one.
pub(super) fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// The next piece of a body.
pub(super) async fn next_chunk(
    response: &mut Response,
    meter: &Meter,
) -> Result<Option<Bytes>, HttpError> {
    let chunk = match response.chunk().await {
        Ok(chunk) => chunk,
        Err(error) => return Err(HttpError::body(response.url(), error)),
    };
    if let Some(chunk) = &chunk {
        meter.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    Ok(chunk)
}

/// A whole body of at most `limit` bytes; `what` it is, for messages.
pub(super) async fn read_bounded(
    mut response: Response,
    limit: usize,
    what: &'static str,
    meter: &Meter,
) -> Result<Bytes, HttpError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = next_chunk(&mut response, meter).await? {
        if body.len() + chunk.len() > limit {
            return Err(HttpError::TooLarge { what, limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
