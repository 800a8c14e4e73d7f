//! Hosts as configured: `host` or `host:port`.

use serde::Deserialize;
use url::Url;

/// `host` or `host:port`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Authority(String);

impl Authority {
    /// From the registry of a reference, whose syntax was checked before.
    pub(crate) fn of_registry(registry: &str) -> Self {
        Authority(registry.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `url` is on this host, and on its port if it has one.
    pub(super) fn covers(&self, url: &Url) -> bool {
        let own = |scheme| Url::parse(&format!("{scheme}://{}/", self.0)).ok();
        let (Some(secure), Some(plain)) = (own("https"), own("http")) else {
            return false;
        };
        // `Url` drops the default port of its scheme, so take the port from
        // whichever of the two still has it.
        let port = secure.port().or(plain.port());
        secure.host() == url.host() && (port.is_none() || port == url.port_or_known_default())
    }
}

impl TryFrom<String> for Authority {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&format!("https://{text}/"));
        let odd = |c: char| c.is_whitespace() || "/@?#\\*".contains(c);
        let plain = !text.contains(odd) && !text.ends_with(':');
        match url {
            Ok(url) if plain && url.host_str().is_some() => Ok(Authority(text.to_lowercase())),
            _ => Err(format!(
                "`{text}` is not a host; write `host` or `host:port`, without `https://`"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_met_at_any_port_unless_it_names_one() {
        for (authority, url, met) in [
            ("R.lan", "https://r.lan/x", true),
            ("r.lan", "http://r.lan:5000/x", true),
            ("r.lan:443", "https://r.lan/x", true),
            ("r.lan:443", "http://r.lan/x", false),
            ("r.lan:80", "http://r.lan/x", true),
            ("r.lan:5000", "https://r.lan:5000/x", true),
            ("r.lan:5000", "https://r.lan/x", false),
            ("[::1]:5000", "http://[::1]:5000/x", true),
            ("[::1]", "http://[::1]:5000/x", true),
            ("b\u{fc}cher.lan", "https://xn--bcher-kva.lan/", true),
            ("lan", "https://r.lan/", false),
        ] {
            let authority = Authority::try_from(authority.to_owned()).expect("a host");
            let url = Url::parse(url).expect("an address");
            assert_eq!(authority.covers(&url), met, "{authority:?} {url}");
        }
    }
}
