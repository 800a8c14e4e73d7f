//! Tokens of public registries: fetched once, renewed, and limited in size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::IntoResponse;
use http::{Method, StatusCode};
use tempfile::TempDir;
use wassette::error::{Class, Diagnose};
use wassette::fetch::FetchOptions;
use wassette::registry::{CredentialOptions, Login, LoginFile, Place};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest, Seen, endless, redirect};

fn answer() -> Artifact {
    Artifact::without_config(&[(WASM, &binary(ANSWER))])
}

/// A registry that requires a bearer token and gives one to anyone.
async fn guarded(artifact: &Artifact, blobs: Option<String>) -> Faults {
    let honest = Honest::new(artifact);
    let realm = Arc::new(std::sync::OnceLock::<String>::new());
    let known = realm.clone();
    let server = Faults::start(move |seen| {
        if seen.target.starts_with("/token") {
            return r#"{"token":"anonymous"}"#.into_response();
        }
        if seen.authorization.as_deref() != Some("Bearer anonymous") {
            let realm = known.get().expect("a realm");
            let challenge =
                format!(r#"Bearer realm="{realm}",service="x y",scope="repository:a:pull""#);
            return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
        }
        match &blobs {
            Some(elsewhere) if seen.target.contains("/blobs/") => redirect(elsewhere),
            _ => honest.answer(seen),
        }
    })
    .await;
    realm.set(server.url("/token")).expect("set once");
    server
}

#[tokio::test]
async fn an_anonymous_token_is_fetched_once_and_kept_from_others() {
    let wasm = binary(ANSWER);
    let storage = Faults::start(move |_| wasm.clone().into_response()).await;
    let server = guarded(&answer(), Some(storage.url("/blob"))).await;
    let load = Load::new();
    let fetched = load.run(&server.reference("a:v1")).await.expect("a pull");
    // HEAD, token, HEAD, manifest, component, redirected.
    assert_eq!(fetched.receipt.requests, 6);
    load.run(&server.reference("a:v1")).await.expect("a pull");

    let tokens: Vec<Seen> = server.seen();
    let tokens: Vec<&Seen> = tokens
        .iter()
        .filter(|s| s.target.starts_with("/token"))
        .collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        tokens[0].target,
        "/token?service=x+y&scope=repository%3Aa%3Apull"
    );
    assert_eq!(storage.seen().len(), 2);
    assert!(
        storage
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[tokio::test]
async fn a_token_that_expired_is_renewed() {
    let honest = Honest::new(&answer());
    let issued = Arc::new(AtomicUsize::new(0));
    let tokens = Faults::start(move |_| {
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        format!(r#"{{"access_token":"t{n}"}}"#).into_response()
    })
    .await;
    let challenge = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let server = Faults::start(move |seen| {
        // The first token is valid for the HEAD only.
        let good = match seen.method == Method::HEAD {
            true => "Bearer t1",
            false => "Bearer t2",
        };
        if seen.authorization.as_deref() == Some(good) {
            return honest.answer(seen);
        }
        let challenge = [("www-authenticate", challenge.clone())];
        (StatusCode::UNAUTHORIZED, challenge).into_response()
    })
    .await;
    Load::new()
        .run(&server.reference("a:v1"))
        .await
        .expect("a pull");
    let seen = tokens.seen();
    assert_eq!(seen.len(), 2);
    // Without a scope in the challenge, the repository's scope is requested.
    assert_eq!(seen[0].target, "/token?scope=repository%3Aa%3Apull");
}

#[tokio::test]
async fn challenges_that_cannot_be_answered() {
    for (challenge, requests) in [
        // The second request is for the message of the refusal.
        ("Basic realm=\"r\"", 2),
        ("Bearer realm=\"http://example.com/token\"", 1),
        ("Bearer realm=\"ftp://127.0.0.1/token\"", 1),
        ("Bearer realm=\"http://user:pass@127.0.0.1/token\"", 1),
        ("Bearer realm=\"not an address\"", 1),
    ] {
        let server = Faults::start(move |_| {
            (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
        })
        .await;
        let error = Load::new().fails(&server.reference("a:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("unauthorized", Class::Network),
            "{challenge}"
        );
        assert_eq!(server.seen().len(), requests, "{challenge}");
    }
}

#[tokio::test]
async fn an_endless_token_is_cut_off() {
    let tokens = Faults::start(|_| endless(b"          ")).await;
    let challenge = format!("Bearer realm=\"{}\"", tokens.url("/"));
    let server = Faults::start(move |_| {
        (
            StatusCode::UNAUTHORIZED,
            [("www-authenticate", challenge.clone())],
        )
            .into_response()
    })
    .await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!((error.code(), error.class()), ("too-large", Class::Network));
}

#[tokio::test]
async fn only_the_registry_may_ask_for_a_token() {
    let tokens = Faults::start(|_| r#"{"token":"x"}"#.into_response()).await;
    let challenge = format!("Bearer realm=\"{}\"", tokens.url("/"));
    let storage = Faults::start(move |_| {
        (
            StatusCode::UNAUTHORIZED,
            [("www-authenticate", challenge.clone())],
        )
            .into_response()
    })
    .await;
    let elsewhere = storage.url("/blob");
    let honest = Honest::new(&answer());
    let server = Faults::start(move |seen| match seen.target.contains("/blobs/") {
        true => redirect(&elsewhere),
        false => honest.answer(seen),
    })
    .await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("unauthorized", Class::Network)
    );
    assert!(tokens.seen().is_empty());
}

#[tokio::test]
async fn a_login_counts_after_what_anyone_gets_was_refused() {
    // The registry answers requests for private content with 403 and no challenge.
    let tokens = Faults::start(|seen| match &seen.authorization {
        Some(_) => r#"{"token":"of-alice"}"#.into_response(),
        None => r#"{"token":"of-anyone"}"#.into_response(),
    })
    .await;
    let challenge = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let honest = Honest::new(&answer());
    let server = Faults::start(move |seen| match seen.authorization.as_deref() {
        Some("Bearer of-alice") => honest.answer(seen),
        Some(_) => StatusCode::FORBIDDEN.into_response(),
        None => {
            let challenge = [("www-authenticate", challenge.clone())];
            (StatusCode::UNAUTHORIZED, challenge).into_response()
        }
    })
    .await;
    let root = TempDir::new().expect("a directory");
    let logins = LoginFile::of_root(root.path());
    let load = Load::with(FetchOptions {
        registry: wassette::registry::Options {
            credentials: CredentialOptions {
                login_file: Some(logins.clone()),
                ..CredentialOptions::default()
            },
            ..Default::default()
        },
        ..FetchOptions::default()
    });
    let reference = server.reference("a:v1");
    load.fails(&reference).await;
    let to = server.address();
    let secret = "s3cret".into();
    let login = Login {
        username: "alice",
        secret: &secret,
    };
    let stored = logins.store(&to, &Place::File, login);
    stored.await.expect("stored");
    load.run(&reference).await.expect("a pull");
}
