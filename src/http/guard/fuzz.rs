//! The fuzz target of the guard.

use axum::http::{HeaderMap, HeaderValue, header};
use url::{Host, Url};

use super::Guard;

/// Checks `Host` and `Origin` against another parser: without allowed hosts, only names of this
/// machine are admitted.
pub fn host_header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let own = HeaderValue::from_static("localhost");
    let guard = Guard::new(&[], &[]).expect("no names");
    let admits = |host: &HeaderValue, origin: &HeaderValue| {
        let headers = [
            (header::HOST, host.clone()),
            (header::ORIGIN, origin.clone()),
        ];
        guard.check(&HeaderMap::from_iter(headers)).is_ok()
    };
    let is_loopback =
        |url: String| match Url::parse(&url).expect("what is admitted is a URL").host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            None => false,
        };
    let text = || value.to_str().expect("what is admitted is ASCII");
    if admits(&value, &HeaderValue::from_static("http://localhost")) {
        assert!(is_loopback(format!("http://{}/", text())), "{value:?}");
    }
    if admits(&own, &value) {
        assert!(is_loopback(text().to_owned()), "{value:?}");
    }
    let _ = Guard::new(&[text_of(data)], &[text_of(data)]);
}

fn text_of(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}
