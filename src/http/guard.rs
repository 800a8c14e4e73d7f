//! Protects against DNS rebinding.
//!
//! A web page in a browser can make requests to a server on the same machine, but
//! cannot choose their `Host` and `Origin` headers. So requests that name another
//! host than this server are refused.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::HttpError;

/// The host names that requests may use and the origins of pages that may call the server, in
/// addition to the loopback ones.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<Host>,
    origins: Vec<Origin>,
}

/// `port: None` in the list of allowed hosts means any port.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    name: HostName,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum HostName {
    /// IPv4-mapped IPv6 addresses are stored as IPv4.
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

/// The origin of a page. Browsers send `null` for pages without one; `null` is never
/// admitted.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    /// In lower case.
    scheme: String,
    /// With the scheme's default port, if it has one and no other is given.
    host: Host,
}

/// The reason why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostRefusal {
    Host,
    Origin,
}

impl Guard {
    pub(super) fn new(hosts: &[String], origins: &[String]) -> Result<Self, HttpError> {
        let host = |text: &String| {
            Host::parse(text).ok_or_else(|| HttpError::AllowedHost { text: text.clone() })
        };
        let origin = |text: &String| {
            Origin::parse(text).ok_or_else(|| HttpError::AllowedOrigin { text: text.clone() })
        };
        Ok(Guard {
            hosts: hosts.iter().map(host).collect::<Result<_, _>>()?,
            origins: origins.iter().map(origin).collect::<Result<_, _>>()?,
        })
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), HostRefusal> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let host = host.and_then(Host::parse).ok_or(HostRefusal::Host)?;
        if hosts.next().is_some() || !self.admits(&host) {
            return Err(HostRefusal::Host);
        }
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().ok().and_then(Origin::parse);
            let origin = origin.ok_or(HostRefusal::Origin)?;
            let is_web = matches!(&*origin.scheme, "http" | "https");
            let is_own = is_web && self.admits(&origin.host);
            if !is_own && !self.origins.contains(&origin) {
                return Err(HostRefusal::Origin);
            }
        }
        Ok(())
    }

    fn admits(&self, host: &Host) -> bool {
        let listed = |allowed: &Host| {
            allowed.name == host.name && (allowed.port.is_none() || allowed.port == host.port)
        };
        host.is_loopback() || self.hosts.iter().any(listed)
    }
}

impl Host {
    /// Parses `host` or `host:port`, with IPv6 in brackets. `None` if anything else
    /// is in the text.
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (HostName::Address(IpAddr::V6(address).to_canonical()), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at(end);
                (HostName::parse(name)?, port)
            }
        };
        let port = match port {
            "" => None,
            port => Some(parse_port(port.strip_prefix(':')?)?),
        };
        Some(Host { name, port })
    }

    fn is_loopback(&self) -> bool {
        match &self.name {
            HostName::Address(address) => address.is_loopback(),
            HostName::Name(name) => name == "localhost",
        }
    }
}

impl HostName {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(HostName::Address(address));
        }
        // A trailing dot only marks the name as fully qualified.
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !label.is_empty() && label.bytes().all(is_inner)
        };
        let is_name = name.split('.').all(is_label);
        is_name.then(|| HostName::Name(name.to_ascii_lowercase()))
    }
}

/// Only digits: the standard library would also accept a sign.
fn parse_port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl Origin {
    /// Parses `SCHEME://HOST[:PORT]`, optionally with a slash at the end.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let mut bytes = scheme.bytes();
        let is_scheme = bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let mut host = Host::parse(rest.strip_suffix('/').unwrap_or(rest))?;
        let implied = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        host.port = host.port.or(implied);
        Some(Origin { scheme, host })
    }
}

/// Middleware: answers 403 to requests that the guard refuses.
pub(super) async fn check(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    match guard.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::warn!(?refusal, "refused a request for another host");
            refusal.into_response()
        }
    }
}

impl IntoResponse for HostRefusal {
    fn into_response(self) -> Response {
        let text = match self {
            HostRefusal::Host => {
                "Forbidden: the Host header names another host; \
                 allow it with `--allowed-host` if it is meant to be this server\n"
            }
            HostRefusal::Origin => {
                "Forbidden: the page is from another host; \
                 allow it with `--allowed-origin` if it may use this server\n"
            }
        };
        (StatusCode::FORBIDDEN, text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(allowed: &[&str], headers: &[(&'static str, &str)]) -> Result<(), HostRefusal> {
        let (origins, hosts): (Vec<String>, Vec<String>) = allowed
            .iter()
            .map(ToString::to_string)
            .partition(|text: &String| text.contains("://"));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Guard::new(&hosts, &origins).unwrap().check(&map)
    }

    #[test]
    fn loopback_hosts_are_admitted() {
        for host in [
            "localhost",
            "LOCALHOST.:80",
            "127.0.0.1:8089",
            "127.8.8.8",
            "[::1]:1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]:8089",
        ] {
            assert_eq!(verdict(&[], &[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_not() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "a@localhost",
            "localhost:x",
            "localhost:",
            "localhost:+80",
            "localhost:80:80",
            "localhost..",
            ".localhost",
            "[::1].evil.example",
            "[::1]evil",
            "[::1]:",
            "[::1",
            "::1",
            "[localhost]",
            "[localhost].evil.example",
            "[127.0.0.1]",
            "[127.0.0.1]evil.example:80",
            "[::1%25lo]",
            "127.0.0.1%00.evil.example",
            "127.1",
            "0x7f.0.0.1",
            "localhost/",
            "localhost#",
            "localhost,evil.example",
            "",
        ] {
            assert_eq!(
                verdict(&[], &[("host", host)]),
                Err(HostRefusal::Host),
                "{host}"
            );
        }
        assert_eq!(verdict(&[], &[]), Err(HostRefusal::Host));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(verdict(&[], &two), Err(HostRefusal::Host));
    }

    #[test]
    fn listed_hosts_are_admitted_on_their_port() {
        let allowed = ["mcp.example", "10.0.0.7:8089"];
        for host in ["mcp.example", "MCP.example:444", "10.0.0.7:8089"] {
            assert_eq!(verdict(&allowed, &[("host", host)]), Ok(()), "{host}");
        }
        let other_port = verdict(&allowed, &[("host", "10.0.0.7:80")]);
        assert_eq!(other_port, Err(HostRefusal::Host));
    }

    #[test]
    fn origins_are_held_to_the_same_list() {
        let origin = |origin| {
            verdict(
                &["app.example:443"],
                &[("host", "localhost"), ("origin", origin)],
            )
        };
        for good in [
            "http://localhost:6274",
            "http://127.0.0.1",
            "https://app.example",
        ] {
            assert_eq!(origin(good), Ok(()), "{good}");
        }
        for bad in [
            "null",
            "http://evil.example",
            "http://app.example",
            "file://localhost",
            "http://[::1].evil.example",
            "http://[localhost]",
            "http://localhost@evil.example",
            "http://localhost:80/page",
            "http://localhost?x",
            "localhost",
            "",
        ] {
            assert_eq!(origin(bad), Err(HostRefusal::Origin), "{bad}");
        }
    }

    #[test]
    fn origins_may_be_listed_by_themselves() {
        let verdict = |origin| {
            let listed = ["https://app.example", "http://dev.example:5173/"];
            verdict(&listed, &[("host", "localhost"), ("origin", origin)])
        };
        for good in [
            "https://app.example",
            "https://APP.example:443",
            "http://dev.example:5173",
        ] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
        for bad in [
            "http://app.example",
            "http://app.example:443",
            "https://app.example:8443",
            "https://dev.example:5173",
            "https://sub.app.example",
        ] {
            assert_eq!(verdict(bad), Err(HostRefusal::Origin), "{bad}");
        }
        let as_host = [("host", "app.example")];
        let of_extension = |origin| {
            let listed = ["chrome-extension://abcdefghijklmnop", "tauri://localhost"];
            super::tests::verdict(&listed, &[("host", "localhost"), ("origin", origin)])
        };
        for good in ["chrome-extension://abcdefghijklmnop", "tauri://localhost"] {
            assert_eq!(of_extension(good), Ok(()), "{good}");
        }
        for bad in [
            "chrome-extension://other",
            "moz-extension://localhost",
            "null",
        ] {
            assert_eq!(of_extension(bad), Err(HostRefusal::Origin), "{bad}");
        }
        assert_eq!(
            super::tests::verdict(&["https://app.example"], &as_host),
            Err(HostRefusal::Host)
        );
    }

    #[test]
    fn hosts_and_origins_are_not_mixed_up() {
        for text in ["http://mcp.example", "mcp.example/x", "", "a b"] {
            assert!(Guard::new(&[text.to_owned()], &[]).is_err(), "{text}");
        }
        for text in [
            "app.example",
            "https://app.example/page",
            "https://app.example?x",
            "file:///page",
            "1x://a",
            "*",
            "null",
        ] {
            assert!(Guard::new(&[], &[text.to_owned()]).is_err(), "{text}");
        }
    }
}
