//! What is sent.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::RequestBuilder;
use url::Url;

use super::{Access, RetryMode};
use crate::secret::Secret;

/// One request; redirects are followed.
pub(crate) struct Request {
    pub method: Method,
    pub url: Url,
    pub accept: Option<&'static str>,
    /// Only ever sent to the origin of `url`.
    pub authorization: Option<HeaderValue>,
    /// Only for the origin of `url`.
    pub access: Access,
    pub retry: RetryMode,
    /// Conditions and ranges.
    pub headers: HeaderMap,
    /// The body; it goes to `url` and nowhere else.
    pub payload: Option<Payload>,
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Request {
            method,
            url,
            accept: None,
            authorization: None,
            access: Access::default(),
            retry: RetryMode::default(),
            headers: HeaderMap::new(),
            payload: None,
        }
    }
}

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Payload {
    Form(Form),
}

/// A body in the form of `application/x-www-form-urlencoded`.
#[derive(Clone)]
pub(crate) struct Form {
    pub body: Bytes,
    /// What in it must not be shown.
    pub secret: Secret,
}

impl Payload {
    pub(super) fn attach(&self, builder: RequestBuilder) -> RequestBuilder {
        match self {
            Payload::Form(form) => builder
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.body.clone()),
        }
    }

    /// Why a redirect of a request with this body is not followed.
    pub(super) fn why_it_stays(&self) -> &'static str {
        match self {
            Payload::Form(_) => "it would carry secrets along",
        }
    }
}

/// The secrets of a request: a server may repeat them in what it says.
pub(super) struct Sent(pub(super) Vec<Secret>);

impl Sent {
    pub fn of(authorization: Option<&HeaderValue>, payload: Option<&Payload>) -> Self {
        let mut secrets = Vec::new();
        if let Some(Payload::Form(form)) = payload {
            secrets.push(form.secret.clone());
        }
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
