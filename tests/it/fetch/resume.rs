//! Downloads that break off and resume.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use wassette::digest::Digest;
use wassette::error::Diagnose;
use wassette::fetch::{FetchOptions, Fetched};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::components::padded;
use crate::support::faults::{Faults, Honest, Seen, cut, rest};
use crate::support::proxy::Cutter;
use crate::support::registry::Registry;

const SIZE: usize = 400_000;

fn component() -> Arc<Vec<u8>> {
    Arc::new(padded(SIZE))
}

/// A registry whose component is served by `answer`, which gets the number of earlier requests.
async fn registry<A>(wasm: &[u8], answer: A) -> Faults
where
    A: Fn(&Seen, usize) -> Response + Clone + Send + Sync + 'static,
{
    let honest = Honest::new(&Artifact::without_config(&[(WASM, wasm)]));
    let asked = Arc::new(AtomicUsize::new(0));
    Faults::start(move |seen| match seen.target.contains("/blobs/") {
        true => answer(seen, asked.fetch_add(1, Ordering::SeqCst)),
        false => honest.answer(seen),
    })
    .await
}

async fn pulled(server: &Faults, wasm: &[u8]) -> Fetched {
    let load = Load::new();
    let fetched = load.run(&server.reference("a:v1")).await.expect("a pull");
    assert_eq!(fetched.component.digest, Digest::of(wasm));
    let written = std::fs::read(&fetched.component.path).expect("a file");
    assert_eq!(Digest::of(&written), Digest::of(wasm));
    fetched
}

#[tokio::test]
async fn a_cut_at_any_tenth_costs_nothing_twice() {
    let wasm = component();
    let size = wasm.len();
    for tenth in 1..10 {
        let (whole, end) = (wasm.clone(), size * tenth / 10);
        let server = registry(&wasm, move |seen, nth| match nth {
            0 => cut(&whole[..end], size),
            _ => rest(&whole, seen.from(), size),
        })
        .await;
        let receipt = pulled(&server, &wasm).await.receipt;
        assert_eq!(receipt.retries, 1, "at {tenth}/10");
        // The end of the sent data may be lost with the connection.
        assert!(
            receipt.bytes_resumed >= (size - end) as u64,
            "at {tenth}/10"
        );
        assert!(receipt.bytes_resumed <= size as u64);
        assert!(
            receipt.bytes_downloaded < size as u64 + 2000,
            "at {tenth}/10"
        );
    }
}

#[tokio::test]
async fn progress_renews_patience() {
    let wasm = component();
    let whole = wasm.clone();
    let server = registry(&wasm, move |seen, _| {
        let end = (seen.from() + whole.len() / 10).min(whole.len());
        match seen.from() {
            0 => cut(&whole[..end], whole.len()),
            from => rest(&whole, from, end),
        }
    })
    .await;
    let receipt = pulled(&server, &wasm).await.receipt;
    // More retries than the three that are made without progress.
    assert!(receipt.retries >= 9, "{receipt:?}");
}

#[tokio::test]
async fn a_server_without_ranges_sends_all_of_it_again() {
    let wasm = component();
    for refusal in [StatusCode::OK, StatusCode::RANGE_NOT_SATISFIABLE] {
        let whole = wasm.clone();
        let server = registry(&wasm, move |seen, nth| match (nth, &seen.range) {
            (0, _) => cut(&whole[..whole.len() / 2], whole.len()),
            (_, Some(_)) if refusal != StatusCode::OK => refusal.into_response(),
            _ => whole.to_vec().into_response(),
        })
        .await;
        let receipt = pulled(&server, &wasm).await.receipt;
        assert_eq!(receipt.bytes_resumed, 0, "{refusal}");
    }
}

#[tokio::test]
async fn a_wrong_range_is_not_believed() {
    let wasm = component();
    let size = wasm.len();
    let ranges = [
        format!("bytes 0-{}/{size}", size - 1),
        format!("bytes {}-{}/{size}", size - 10, size - 1),
        format!("bytes 200000-{}/{}", size - 1, size + 1),
        "nonsense".to_owned(),
    ];
    for range in ranges {
        let whole = wasm.clone();
        let server = registry(&wasm, move |seen, nth| match (nth, &seen.range) {
            (0, _) => cut(&whole[..200_000], size),
            (_, Some(_)) => {
                let mut response = rest(&whole, 200_000, size);
                let range = range.parse().expect("a value");
                response.headers_mut().insert("content-range", range);
                response
            }
            _ => whole.to_vec().into_response(),
        })
        .await;
        let receipt = pulled(&server, &wasm).await.receipt;
        assert_eq!(receipt.bytes_resumed, 0);
    }
}

#[tokio::test]
async fn a_blob_that_changes_between_ranges_is_taken_whole() {
    let wasm = component();
    let size = wasm.len();
    let mut other = wasm.to_vec();
    other[size - 1] ^= 1;
    // Once with entity tags, once without.
    for tagged in [true, false] {
        let (whole, other) = (wasm.clone(), other.clone());
        let server = registry(&wasm, move |seen, nth| {
            let (mut response, tag) = match (nth, &seen.range) {
                (0, _) => (cut(&whole[..size / 2], size), "\"one\""),
                (_, Some(_)) => (rest(&other, seen.from(), size), "\"two\""),
                _ => (whole.to_vec().into_response(), "\"one\""),
            };
            if tagged {
                let tag = tag.parse().expect("a tag");
                response.headers_mut().insert("etag", tag);
            }
            response
        })
        .await;
        let receipt = pulled(&server, &wasm).await.receipt;
        assert_eq!(receipt.bytes_resumed == 0, tagged);
    }
}

#[tokio::test]
async fn a_blob_that_stays_wrong_is_refused() {
    let wasm = component();
    let size = wasm.len();
    let mut wrong = wasm.to_vec();
    wrong[size - 1] ^= 1;
    let server = registry(&wasm, move |seen, nth| match nth {
        0 => cut(&wrong[..size / 2], size),
        1 => rest(&wrong, seen.from(), size),
        _ => wrong.clone().into_response(),
    })
    .await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(error.code(), "digest-mismatch");
    let blobs = server.seen().into_iter();
    assert_eq!(blobs.filter(|s| s.target.contains("/blobs/")).count(), 3);
}

#[tokio::test]
async fn endless_cuts_come_to_an_end() {
    let wasm = component();
    let size = wasm.len();
    let whole = wasm.clone();
    // The same first half again and again is not progress.
    let server = registry(&wasm, move |_, _| cut(&whole[..size / 2], size)).await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(error.code(), "oci-pull-failed");
    assert!(server.seen().len() <= 10, "{}", server.seen().len());
}

/// A web server whose file has this entity tag and breaks off at first.
async fn web(wasm: &Arc<Vec<u8>>, tag: Option<&'static str>) -> Faults {
    let (whole, asked) = (wasm.clone(), Arc::new(AtomicUsize::new(0)));
    Faults::start(move |seen| {
        if seen.method == Method::HEAD {
            return StatusCode::OK.into_response();
        }
        let size = whole.len();
        let mut response = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => cut(&whole[..size / 2], size),
            _ if seen.range.is_some() => rest(&whole, seen.from(), size),
            _ => whole.to_vec().into_response(),
        };
        if let Some(tag) = tag {
            let tag = tag.parse().expect("a tag");
            response.headers_mut().insert("etag", tag);
        }
        response
    })
    .await
}

#[tokio::test]
async fn a_file_is_continued_only_when_it_is_surely_the_same() {
    let wasm = component();
    let pin = Digest::of(&wasm).to_string().replace(':', "=");
    for (tag, pinned, continued) in [
        (Some("\"v1\""), false, true),
        (Some("W/\"v1\""), false, false),
        (None, false, false),
        (None, true, true),
    ] {
        let server = web(&wasm, tag).await;
        let fragment = if pinned {
            format!("#{pin}")
        } else {
            String::new()
        };
        let url = server.url(&format!("/a.wasm{fragment}"));
        let fetched = Load::new().run(&url).await.expect("a download");
        assert_eq!(fetched.component.digest, Digest::of(&wasm));
        let ranges: Vec<Seen> = server
            .seen()
            .into_iter()
            .filter(|s| s.range.is_some())
            .collect();
        assert_eq!(!ranges.is_empty(), continued, "{tag:?} {pinned}");
        if let (Some(tag), true) = (tag, continued) {
            assert_eq!(ranges[0].if_range.as_deref(), Some(tag));
        }
    }
}

#[tokio::test]
async fn a_file_with_another_digest_is_refused() {
    let wasm = component();
    let server = web(&wasm, Some("\"v1\"")).await;
    let other = Digest::of(b"other").to_string().replace(':', "=");
    let url = server.url(&format!("/a.wasm#{other}"));
    let options = FetchOptions::default();
    let error = Load::with(options).fails(&url).await;
    assert_eq!(error.code(), "digest-mismatch");
}

#[tokio::test]
async fn a_real_registry_continues_after_a_cut_at_nine_tenths() {
    let wasm = padded(3_000_000);
    let registry = Registry::start();
    let artifact = Artifact::new(&[(WASM, &wasm)]);
    registry.push("a", "v1", &artifact).await;
    let allowance = wasm.len() as u64 * 9 / 10;
    let cutter = Cutter::start(registry.address().to_owned(), allowance).await;
    let reference = format!("oci://{}/a:v1", cutter.address);
    let fetched = Load::new().run(&reference).await.expect("a pull");
    assert_eq!(fetched.component.digest, Digest::of(&wasm));
    let receipt = fetched.receipt;
    assert_eq!(receipt.retries, 1);
    assert!(receipt.bytes_resumed >= wasm.len() as u64 / 10);
    let again = receipt.bytes_downloaded - wasm.len() as u64;
    assert!(again < wasm.len() as u64 / 50, "{again}");
    assert_eq!(receipt.hosts_tried, [cutter.address.to_string()]);
}
