//! Pulls from registries that lie, stall or redirect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use tokio::sync::{Barrier, mpsc};
use wassette::digest::Digest;
use wassette::error::{Class, Diagnose};
use wassette::fetch::{FetchOptions, Silent};

use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, EMPTY, binary, padded};
use crate::support::faults::{Faults, Honest, Seen, endless, redirect, stalled};
use crate::support::{Load, reference_of};

fn answer() -> Artifact {
    Artifact::without_config(&[(WASM, &binary(ANSWER))])
}

/// A registry that is correct except for its blobs.
async fn lying_blobs(
    artifact: &Artifact,
    lie: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static,
) -> Faults {
    let honest = Honest::new(artifact);
    Faults::start(move |seen| match seen.target.contains("/blobs/") {
        true => lie(seen),
        false => honest.answer(seen),
    })
    .await
}

#[tokio::test]
async fn a_blob_that_differs_is_refused_and_removed() {
    let mut tampered = binary(ANSWER);
    tampered[20] ^= 1;
    let server = lying_blobs(&answer(), move |_| tampered.clone().into_response()).await;
    let load = Load::new();
    let error = load.fails(&server.reference("a:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("digest-mismatch", Class::Verification)
    );
    assert!(
        error
            .to_string()
            .starts_with("Digest mismatch in layer 0 (`application/wasm`)")
    );
    let labels: Vec<_> = error.facts().into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["expected", "computed"]);
    assert!(load.staged().is_empty());
}

#[tokio::test]
async fn blobs_of_the_wrong_size_are_refused() {
    let wasm = binary(ANSWER);
    let short = wasm[..wasm.len() - 1].to_vec();
    let long = [wasm.as_slice(), b"x"].concat();
    let lies: [Arc<dyn Fn() -> Response + Send + Sync>; 3] = [
        Arc::new(move || short.clone().into_response()),
        Arc::new(move || long.clone().into_response()),
        Arc::new(|| endless(&[0; 8192])),
    ];
    for lie in lies {
        let server = lying_blobs(&answer(), move |_| lie()).await;
        let load = Load::new();
        let error = load.fails(&server.reference("a:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("size-mismatch", Class::Verification)
        );
        assert!(load.staged().is_empty());
    }
}

#[tokio::test]
async fn a_config_and_its_size_are_checked_too() {
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    let honest = Honest::new(&artifact);
    let config = Digest::of(&artifact.blobs[1]).to_string();
    for lie in [b"{}".as_slice(), &[b' '; 9000]] {
        let (honest, config) = (honest.clone(), config.clone());
        let server = Faults::start(move |seen| match seen.target.ends_with(&config) {
            true => lie.into_response(),
            false => honest.answer(seen),
        })
        .await;
        // Not `fails`, because the thread that writes the component may still be stopping.
        let error = Load::new().run(&server.reference("a:v1")).await;
        let error = error.expect_err("another config");
        assert_eq!(error.class(), Class::Verification);
        assert!(error.to_string().contains("the config"), "{error}");
    }
}

#[tokio::test]
async fn a_manifest_must_have_the_digest_it_was_asked_by() {
    let (asked, given) = (
        answer(),
        Artifact::without_config(&[(WASM, &binary(EMPTY))]),
    );
    let header = asked.digest().to_string();
    let server = Faults::start(move |seen| match seen.method == Method::HEAD {
        true => [("docker-content-digest", header.clone())].into_response(),
        false => given.bytes().into_response(),
    })
    .await;
    let load = Load::new();
    let error = load.fails(&server.reference("a:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("digest-mismatch", Class::Verification)
    );
    assert_eq!(server.seen().len(), 2, "no blob is asked for");
}

#[tokio::test]
async fn a_registry_that_tells_no_digest_is_asked_for_the_manifest() {
    let artifact = answer();
    let honest = Honest::new(&artifact);
    for head in [StatusCode::OK, StatusCode::METHOD_NOT_ALLOWED] {
        let honest = honest.clone();
        let server = Faults::start(move |seen| match seen.method == Method::HEAD {
            true => head.into_response(),
            false => honest.answer(seen),
        })
        .await;
        let fetched = Load::new()
            .run(&server.reference("a:v1"))
            .await
            .expect("a pull");
        assert_eq!(fetched.receipt.manifest_digest, Some(artifact.digest()));
        // HEAD, manifest, component: the manifest is not asked for twice.
        assert_eq!(fetched.receipt.requests, 3);
    }
}

#[tokio::test]
async fn endless_documents_are_cut_off() {
    let endless_manifest = Faults::start(|_| endless(b"          ")).await;
    let load = Load::new();
    let error = load.fails(&endless_manifest.reference("a:v1")).await;
    assert_eq!((error.code(), error.class()), ("too-large", Class::Network));

    let endless_error = Faults::start(|_| {
        (StatusCode::INTERNAL_SERVER_ERROR, endless(b"          ")).into_response()
    })
    .await;
    let error = load.fails(&endless_error.reference("a:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("oci-pull-failed", Class::Network)
    );
}

#[tokio::test]
async fn what_a_registry_says_is_shown_without_its_control_characters() {
    let body = r#"{"errors":[{"code":"DENIED","message":"go \u001b[31maway"}]}"#;
    let server = Faults::start(move |seen| match seen.method == Method::HEAD {
        true => StatusCode::NOT_IMPLEMENTED.into_response(),
        false => (StatusCode::FORBIDDEN, body).into_response(),
    })
    .await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("unauthorized", Class::Network)
    );
    let text = wassette::error::Report::new(&error).to_string();
    assert!(
        text.contains("403 Forbidden: DENIED: go [31maway"),
        "{text}"
    );
}

#[tokio::test]
async fn redirects_that_are_not_followed() {
    for to in [
        "http://example.com/x",
        "ftp://127.0.0.1/x",
        "/a/loop",
        "http://",
    ] {
        let server = Faults::start(move |_| redirect(to)).await;
        let load = Load::new();
        let error = load.fails(&server.reference("a:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("oci-pull-failed", Class::Network),
            "{to}"
        );
        assert!(server.seen().len() <= 9, "{to}");
    }
}

#[tokio::test]
async fn a_silent_registry_times_out() {
    let impatient = FetchOptions {
        net: wassette::net::Options {
            idle_timeout: Duration::from_millis(100),
            ..Default::default()
        },
        ..FetchOptions::default()
    };
    let mute = Faults::start_async(|_| std::future::pending()).await;
    let stalling = lying_blobs(&answer(), |_| stalled(b"\0asm")).await;
    for server in [mute, stalling] {
        let load = Load::with(impatient.clone());
        let error = load.fails(&server.reference("a:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("network-timeout", Class::Network)
        );
        assert!(load.staged().is_empty());
    }
}

#[test]
fn a_dropped_fetch_leaves_nothing() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let load = Load::new();
    runtime.block_on(async {
        let artifact = Artifact::without_config(&[(WASM, &padded(100_000))]);
        let (started, mut start) = mpsc::unbounded_channel();
        let server = lying_blobs(&artifact, move |_| {
            let _ = started.send(());
            stalled(b"\0asm\x0d\0\x01\0")
        })
        .await;
        let reference = server.reference("a:v1");
        tokio::select! {
            _ = load.run(&reference) => panic!("the blob never ends"),
            begun = start.recv() => assert!(begun.is_some()),
        }
    });
    // Waits for every thread that the fetch may have left.
    drop(runtime);
    assert!(load.staged().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_downloads_run_at_once() {
    const LOADS: usize = 16;
    let honest = Honest::new(&answer());
    let barrier = Arc::new(Barrier::new(8));
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let shared = counts.clone();
    let server = Faults::start_async(move |seen| {
        let (honest, barrier, counts) = (honest.clone(), barrier.clone(), shared.clone());
        async move {
            if seen.target.contains("/blobs/") {
                let running = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
                counts.1.fetch_max(running, Ordering::SeqCst);
                // Eight requests at a time pass, so fewer would wait forever.
                barrier.wait().await;
                counts.0.fetch_sub(1, Ordering::SeqCst);
            }
            honest.answer(&seen)
        }
    })
    .await;
    let load = Load::new();
    let reference = reference_of(&server.reference("a:v1"));
    let loads = (0..LOADS).map(|n| {
        let (load, reference) = (&load, &reference);
        async move {
            let staging = load.staging.path().join(n.to_string());
            std::fs::create_dir(&staging).expect("a directory");
            let resolved = load.fetcher.resolve(reference).await?;
            load.fetcher.fetch(resolved, &staging, &Silent).await
        }
    });
    for fetched in futures_util::future::join_all(loads).await {
        fetched.expect("a pull");
    }
    assert_eq!(counts.1.load(Ordering::SeqCst), 8);
}
