//! Components from web servers, with plain HTTP on loopback instead of HTTPS.

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use wassette::digest::Digest;
use wassette::error::{Class, Diagnose};
use wassette::fetch::{FetchOptions, Identity};

use crate::support::components::{ANSWER, binary, padded};
use crate::support::faults::{Faults, Seen, endless, redirect};
use crate::support::{Load, reference_of};

fn file(_: &Seen) -> Response {
    ([("etag", "\"v1\"")], binary(ANSWER)).into_response()
}

#[tokio::test]
async fn a_file_is_downloaded() {
    let server = Faults::start(file).await;
    let load = Load::new();
    let fetched = load
        .run(&server.url("/x/answer.wasm?v=1"))
        .await
        .expect("a download");
    assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
    assert!(
        matches!(&fetched.identity, Identity::Https { etag: Some(etag), .. } if etag == "\"v1\"")
    );
    assert_eq!(fetched.receipt.source_host.as_deref(), Some("127.0.0.1"));
    assert_eq!(fetched.receipt.requests, 2);
    let methods: Vec<Method> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, [Method::HEAD, Method::GET]);
}

#[tokio::test]
async fn only_assurances_count_as_unchanged() {
    let unchanged = async |headers: &'static [(&'static str, &'static str)]| {
        let server = Faults::start(move |_| {
            let mut response = binary(ANSWER).into_response();
            for (name, value) in headers {
                response
                    .headers_mut()
                    .insert(*name, value.parse().expect("a value"));
            }
            response
        })
        .await;
        let load = Load::new();
        let reference = reference_of(&server.url("/a.wasm"));
        let first = load.fetcher.resolve(&reference).await.expect("a HEAD");
        let second = load.fetcher.resolve(&reference).await.expect("a HEAD");
        first.identity().same_content(second.identity())
    };
    assert!(unchanged(&[("etag", "\"a\"")]).await);
    assert!(unchanged(&[("last-modified", "Mon, 05 Jan 2026 00:00:00 GMT")]).await);
    assert!(!unchanged(&[("etag", "W/\"a\"")]).await);
    assert!(!unchanged(&[]).await);
}

#[tokio::test]
async fn a_server_without_head_is_no_obstacle() {
    let server = Faults::start(|seen| match seen.method == Method::HEAD {
        true => StatusCode::FORBIDDEN.into_response(),
        false => file(seen),
    })
    .await;
    Load::new()
        .run(&server.url("/a.wasm"))
        .await
        .expect("a download");
}

#[tokio::test]
async fn redirects_are_followed_on_loopback() {
    let server = Faults::start(|seen| match seen.target.as_str() {
        "/a/latest.wasm" => redirect("../b/v1.wasm"),
        "/b/v1.wasm" => file(seen),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    let fetched = Load::new()
        .run(&server.url("/a/latest.wasm"))
        .await
        .expect("a download");
    assert!(fetched.reference.to_string().ends_with("/a/latest.wasm"));
    assert_eq!(fetched.receipt.requests, 4);
}

#[tokio::test]
async fn what_cannot_be_downloaded() {
    let options = FetchOptions {
        max_component_bytes: 1000,
        ..FetchOptions::default()
    };
    let server = Faults::start(|seen| match seen.target.as_str() {
        "/page" => "<!DOCTYPE html>".into_response(),
        "/big" => padded(1000).into_response(),
        "/endless" => endless(&[0; 100]),
        "/broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/away" => redirect("http://example.com/x"),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    for (path, code, class) in [
        ("/page", "not-wasm", Class::InvalidComponent),
        ("/big", "too-large", Class::InvalidComponent),
        ("/endless", "too-large", Class::InvalidComponent),
        ("/broken", "download-failed", Class::Network),
        ("/away", "download-failed", Class::Network),
        ("/missing", "not-found", Class::NotFound),
    ] {
        let load = Load::with(options.clone());
        let error = load.fails(&server.url(path)).await;
        assert_eq!((error.code(), error.class()), (code, class), "{path}");
    }
}
