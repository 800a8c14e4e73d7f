//! Fuzz targets for the responses of registries.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::challenge::{self, AuthScheme};
use super::{Document, realm};
use crate::digest::Digest;
use crate::net::{self, Client};

/// Parses an OCI manifest or index.
pub fn oci_manifest(data: &[u8]) {
    let Ok(document) = Document::parse(data) else {
        return;
    };
    let media_type = document.media_type();
    // A document can be served with its own media type.
    assert!(document.served_as(media_type).is_ok(), "{media_type}");
    let _ = document.as_referrer(Digest::of(data), data.len() as u64);
}

/// Parses a `WWW-Authenticate` header, and checks that a registry reached over TLS never sends the
/// client to a token server without TLS or on the client's own machine.
pub fn challenge(data: &[u8]) {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let headers = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, value)]);
    let Some(AuthScheme::Bearer(bearer)) = challenge::read(&headers) else {
        return;
    };
    let client = CLIENT.get_or_init(|| Client::new(net::Options::default()));
    let registry = Url::parse("https://registry.example.com/").expect("a URL");
    if let Ok(realm) = realm::check(&bearer, &registry, client) {
        assert_eq!(realm.scheme(), "https", "{realm}");
        let host = realm.host_str().expect("a host");
        assert!(!crate::reference::is_loopback(host), "{realm}");
    }
}
