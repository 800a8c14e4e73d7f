//! Checks the token server that a registry names.

use url::Url;

use super::challenge::Bearer;
use crate::net::{Client, may_lead};

/// The URL of the token server, or the reason why it is not used.
///
/// Token servers are often on other hosts than the registry (`auth.docker.io`),
/// so any host outside this machine is accepted; it receives only the
/// credentials for this registry. Anyone on the network can read a token sent
/// over plain HTTP, so that is accepted only if the registry itself uses plain
/// HTTP, and only for the same host or hosts for which plain HTTP is allowed.
pub(super) fn check(bearer: &Bearer, registry: &Url, http: &Client) -> Result<Url, &'static str> {
    let url = Url::parse(&bearer.realm).map_err(|_| "its realm is not a URL")?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.host_str().is_none() {
        return Err("its realm names a user or no host");
    }
    let allowed = || url.host() == registry.host() || http.allows_plain_url(&url);
    let clear = url.scheme() == "http" && registry.scheme() == "http" && allowed();
    if url.scheme() != "https" && !clear {
        return Err("its realm is not `https`");
    }
    match may_lead(registry, &url) {
        true => Ok(url),
        false => Err("its realm is on this machine or its link"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Options;

    fn checked(registry: &str, realm: &str) -> bool {
        let http = Client::new(Options {
            plain_http: vec!["plain.lan".to_owned().try_into().expect("a host")],
            ..Options::default()
        });
        let bearer = Bearer {
            realm: realm.into(),
            ..Bearer::default()
        };
        check(&bearer, &Url::parse(registry).expect("a URL"), &http).is_ok()
    }

    #[test]
    fn realms_that_are_asked_and_that_are_not() {
        for (registry, realm) in [
            (
                "https://registry-1.docker.io",
                "https://auth.docker.io/token",
            ),
            ("https://ghcr.io", "https://ghcr.io/token"),
            ("https://r.corp", "https://10.0.0.7/token"),
            ("https://127.0.0.1:5000", "https://127.0.0.1:5001/token"),
            ("http://127.0.0.1:5000", "http://localhost:5001/token"),
            ("http://plain.lan", "http://plain.lan/token"),
            ("http://plain.lan", "https://auth.example/token"),
            // Plain HTTP, because the options of a mirror allow it.
            ("http://mirror.lan", "http://mirror.lan/token"),
        ] {
            assert!(checked(registry, realm), "{registry} {realm}");
        }
        for (registry, realm) in [
            ("https://ghcr.io", "http://ghcr.io/token"),
            ("https://ghcr.io", "http://127.0.0.1/token"),
            ("https://ghcr.io", "https://127.0.0.1/token"),
            ("https://ghcr.io", "https://localhost/token"),
            ("https://ghcr.io", "https://x.localhost/token"),
            ("https://ghcr.io", "https://localhost./token"),
            ("https://ghcr.io", "https://169.254.169.254/token"),
            ("https://ghcr.io", "https://[fe80::1]/token"),
            ("https://ghcr.io", "https://[::ffff:127.0.0.1]/token"),
            ("https://ghcr.io", "https://[::1]/token"),
            ("https://ghcr.io", "https://user:pass@auth.example/token"),
            ("https://ghcr.io", "ftp://auth.example/token"),
            ("https://ghcr.io", "/token"),
            ("http://plain.lan", "http://other.lan/token"),
            ("http://plain.lan", "https://169.254.169.254/token"),
            ("http://127.0.0.1", "https://169.254.169.254/token"),
        ] {
            assert!(!checked(registry, realm), "{registry} {realm}");
        }
    }
}
