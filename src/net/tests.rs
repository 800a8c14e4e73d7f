//! Tests which redirects are followed.

use url::Url;

use super::*;

fn leads(from: &str, to: &str) -> Result<Option<Url>, Error> {
    let http = Client::new(Options::default());
    let answer = http::Response::builder()
        .status(StatusCode::TEMPORARY_REDIRECT)
        .header(header::LOCATION, to)
        .body("")
        .expect("a response");
    http.redirect(&Url::parse(from).expect("an address"), &answer.into())
}

#[test]
fn a_redirect_never_leaves_tls() {
    for to in [
        "http://example.com/x",
        "http://127.0.0.1/x",
        "http://localhost:5000/x",
    ] {
        assert!(leads("https://example.com/x", to).is_err(), "{to}");
    }
    assert!(leads("https://example.com/x", "https://cdn.example.com/y").is_ok());
    assert!(leads("http://127.0.0.1/x", "http://127.0.0.1:81/y").is_ok());
}

#[test]
fn a_redirect_brings_no_credentials() {
    let next = leads("https://example.com/x", "https://user:secret@example.org/y");
    let next = next.expect("followed").expect("an address");
    assert_eq!(next.as_str(), "https://example.org/y");
}

#[tokio::test]
async fn a_name_without_an_address_is_not_tried_again() {
    let client = Client::new(Options::default());
    let meter = Meter::default();
    let url = Url::parse("https://no-such-host.invalid/x").expect("an address");
    let sent = client.send(Request::new(Method::GET, url), &meter).await;
    let error = sent.err().expect("no such host");
    assert!(matches!(error, Error::UnknownHost { .. }), "{error:?}");
    assert_eq!((meter.requests(), meter.retries()), (1, 0));
}
