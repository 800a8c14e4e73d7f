//! The destination of a request, in the one form that is both checked and connected
//! to.

use http::Uri;
use http::uri::Scheme as UriScheme;
use wasmtime_wasi_http::Error as HttpError;

use crate::policy::{Host, Scheme};

/// Scheme, host and port of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
}

impl Destination {
    /// Parses a guest's URI. Refuses a user in the authority, an empty or invalid
    /// host, and ports that are not numbers: two parsers could read them as different
    /// destinations.
    pub fn of(uri: &Uri) -> Result<Self, HttpError> {
        let invalid = || HttpError::HttpRequestUriInvalid;
        let scheme = match uri.scheme() {
            Some(scheme) if *scheme == UriScheme::HTTP => Scheme::Http,
            Some(scheme) if *scheme == UriScheme::HTTPS => Scheme::Https,
            _ => return Err(HttpError::HttpProtocolError),
        };
        let authority = uri.authority().ok_or_else(invalid)?.as_str();
        if authority.contains('@') {
            return Err(invalid());
        }
        let (host, port) = split(authority).ok_or_else(invalid)?;
        Ok(Destination {
            scheme,
            host: Host::parse(host).map_err(|_| invalid())?,
            port: match port {
                None => default_port(scheme),
                Some(port) => number(port).ok_or_else(invalid)?,
            },
        })
    }

    /// Returns the value of the `Host` header: `host`, or `host:port` for a port other than the
    /// scheme's default.
    pub fn authority(&self) -> String {
        if self.port == default_port(self.scheme) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns the URL of a request for messages, without the query, which may hold secrets.
    pub fn url(&self, uri: &Uri) -> String {
        let path = uri.path();
        let path = if path.is_empty() { "/" } else { path };
        format!("{}://{}{path}", self.scheme, self.authority())
    }
}

fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

/// Splits host and port, allowing for the colons of IPv6.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let behind = authority.rfind(']').map_or(0, |end| end + 1);
    match authority[behind..].split_once(':') {
        None if behind == 0 || behind == authority.len() => Some((authority, None)),
        None => None,
        Some((between, _)) if behind > 0 && !between.is_empty() => None,
        Some((between, port)) => Some((&authority[..behind + between.len()], Some(port))),
    }
    .filter(|(host, _)| !host.is_empty())
}

/// Parses a port of decimal digits, 1 to 65535.
fn number(port: &str) -> Option<u16> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Option<String> {
        let uri: Uri = uri.parse().ok()?;
        Destination::of(&uri)
            .ok()
            .map(|destination| destination.url(&uri))
    }

    #[test]
    fn one_form_for_all_notations() {
        for (given, url) in [
            ("http://A.Example./a?secret=1", "http://a.example/a"),
            ("https://a.example:443", "https://a.example/"),
            ("https://a.example:0080/", "https://a.example:80/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://2130706433:8080/", "http://127.0.0.1:8080/"),
            ("http://0177.0.0.1/", "http://127.0.0.1/"),
            ("http://[::ffff:127.0.0.1]/", "http://127.0.0.1/"),
            ("http://[::1]:81/", "http://[::1]:81/"),
        ] {
            assert_eq!(read(given).as_deref(), Some(url), "{given}");
        }
    }

    #[test]
    fn doubtful_authorities_are_refused() {
        for given in [
            "http://user@a.example/",
            "http://a.example@127.0.0.1/",
            "http://a.example:/",
            "http://a.example:0/",
            "http://a.example:65536/",
            "http://a.example:+80/",
            "http://a%2eexample/",
            "http://[::1%25lo]/",
            "http://1.2.3.256/",
            "ftp://a.example/",
        ] {
            assert_eq!(read(given), None, "{given}");
        }
    }
}
