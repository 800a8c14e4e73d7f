//! Credentials at registries whose tokens expire, or that redirect to other hosts to steal
//! credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use tokio::sync::Barrier;
use wassette::error::{Diagnose, Report};
use wassette::registry::Credential;

use crate::support::Load;
use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest, Seen, redirect};

const BASIC: &str = "Basic YWxpY2U6czNjcmV0";

fn artifact() -> Artifact {
    Artifact::new(&[(WASM, &binary(ANSWER)), (POLICY, b"version: \"1.0\"\n")])
}

fn challenge(challenge: impl Into<String>) -> Response {
    let headers = [("www-authenticate", challenge.into())];
    (StatusCode::UNAUTHORIZED, headers).into_response()
}

/// A load with this credential for the registry of `reference`.
fn load_as(reference: &str, credential: Credential) -> Load {
    let registry = reference.trim_start_matches("oci://");
    let registry = registry.split('/').next().expect("a registry");
    Load::with_credential(registry, credential)
}

fn alice() -> Credential {
    Credential::Password {
        username: "alice".into(),
        secret: "s3cret".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_meet_an_expired_token_share_a_new_one() {
    let issued = Arc::new(AtomicUsize::new(0));
    let tokens = Faults::start(move |_| {
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        format!(r#"{{"token":"t{n}","expires_in":300}}"#).into_response()
    })
    .await;
    let realm = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let honest = Honest::new(&artifact());
    // Component, config and policy are refused together.
    let together = Arc::new(Barrier::new(3));
    let server = Faults::start_async(move |seen: Seen| {
        let (honest, realm, together) = (honest.clone(), realm.clone(), together.clone());
        async move {
            let is_blob = seen.target.contains("/blobs/");
            match (is_blob, seen.authorization.as_deref()) {
                (false, Some("Bearer t1")) | (true, Some("Bearer t2")) => honest.answer(&seen),
                (true, Some("Bearer t1")) => {
                    together.wait().await;
                    challenge(realm)
                }
                _ => challenge(realm),
            }
        }
    })
    .await;
    let reference = server.reference("a:v1");
    let load = load_as(&reference, alice());
    load.run(&reference).await.expect("a pull");
    let asked = tokens.seen();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|seen| seen.authorization.as_deref() == Some(BASIC))
    );
}

#[tokio::test]
async fn a_token_is_not_used_beyond_its_time() {
    let tokens = Faults::start(|_| {
        r#"{"token":"t","expires_in":300,"issued_at":"2001-01-01T00:00:00Z"}"#.into_response()
    })
    .await;
    let brief = Faults::start(|_| r#"{"token":"t","expires_in":0.000001}"#.into_response()).await;
    for (tokens, renewed) in [(tokens, 1), (brief, 3)] {
        let realm = format!("Bearer realm=\"{}\"", tokens.url("/token"));
        let honest = Honest::new(&Artifact::without_config(&[(WASM, &binary(ANSWER))]));
        let server = Faults::start(move |seen| match seen.authorization {
            Some(_) => honest.answer(seen),
            None => challenge(realm.clone()),
        })
        .await;
        let load = Load::new();
        load.run(&server.reference("a:v1")).await.expect("a pull");
        // HEAD, manifest and blob.
        assert_eq!(tokens.seen().len(), renewed);
    }
}

#[tokio::test]
async fn a_password_goes_to_the_registry_alone() {
    let artifact = Artifact::without_config(&[(WASM, &binary(ANSWER))]);
    let wasm = binary(ANSWER);
    let storage = Faults::start(move |_| wasm.clone().into_response()).await;
    let (honest, elsewhere) = (Honest::new(&artifact), storage.url("/blob"));
    let server = Faults::start(move |seen| match seen.authorization.as_deref() {
        Some(BASIC) if seen.target.contains("/blobs/") => redirect(&elsewhere),
        Some(BASIC) => honest.answer(seen),
        _ => challenge("Basic realm=\"r\""),
    })
    .await;
    let reference = server.reference("a:v1");
    load_as(&reference, alice())
        .run(&reference)
        .await
        .expect("a pull");
    // One challenge: later requests send the password at once.
    assert_eq!(server.seen().len(), 4);
    assert_eq!(storage.seen().len(), 1);
    assert_eq!(storage.seen()[0].authorization, None);

    // A storage host that asks for a password gets none.
    let greedy = Faults::start(|_| challenge("Basic realm=\"r\"")).await;
    let (honest, elsewhere) = (Honest::new(&artifact), greedy.url("/blob"));
    let server = Faults::start(move |seen| match seen.target.contains("/blobs/") {
        true => redirect(&elsewhere),
        false => honest.answer(seen),
    })
    .await;
    let reference = server.reference("a:v1");
    let error = load_as(&reference, alice()).fails(&reference).await;
    assert_eq!(error.code(), "unauthorized");
    assert_eq!(greedy.seen().len(), 1);
    assert_eq!(greedy.seen()[0].authorization, None);
}

#[tokio::test]
async fn nothing_goes_to_a_realm_that_is_not_safe() {
    for realm in [
        "http://example.com/token",
        "ftp://127.0.0.1/token",
        "http://user:pass@127.0.0.1/token",
        "https://169.254.169.254/token",
        "no address",
    ] {
        let realm = format!("Bearer realm=\"{realm}\"");
        let server = Faults::start(move |_| challenge(realm.clone())).await;
        let reference = server.reference("a:v1");
        for credential in [alice(), Credential::IdentityToken("i".into())] {
            let error = load_as(&reference, credential).fails(&reference).await;
            assert_eq!(error.code(), "unauthorized");
        }
        assert!(
            server
                .seen()
                .iter()
                .all(|seen| seen.authorization.is_none())
        );
    }
}

#[tokio::test]
async fn a_token_server_that_redirects_gets_no_one_elses_trust() {
    let thief = Faults::start(|_| r#"{"token":"t"}"#.into_response()).await;
    let to = thief.url("/token");
    let tokens = Faults::start(move |_| redirect(&to)).await;
    let realm = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let server = Faults::start(move |seen| match seen.authorization {
        Some(_) => StatusCode::NOT_FOUND.into_response(),
        None => challenge(realm.clone()),
    })
    .await;
    let reference = server.reference("a:v1");
    load_as(&reference, alice()).fails(&reference).await;
    assert!(thief.seen().iter().all(|seen| seen.authorization.is_none()));
    let before = thief.seen().len();
    // A form with an identity token is not sent to the target of a redirect.
    let identity = Credential::IdentityToken("i".into());
    load_as(&reference, identity).fails(&reference).await;
    assert_eq!(thief.seen().len(), before);
    assert!(tokens.seen().iter().any(|seen| seen.method == Method::POST));
}

#[tokio::test]
async fn a_token_that_never_opens_is_asked_for_once() {
    let tokens = Faults::start(|_| r#"{"token":"t"}"#.into_response()).await;
    let realm = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let server = Faults::start(move |_| challenge(realm.clone())).await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(error.code(), "unauthorized");
    // The last request is for the message of the refusal.
    assert_eq!((server.seen().len(), tokens.seen().len()), (3, 1));
}

#[tokio::test]
async fn what_a_token_server_says_shows_no_secret() {
    let tokens = Faults::start(|seen| {
        // A hostile server: it repeats the secret that it received.
        let words = seen.authorization.clone().unwrap_or_default() + " s3cret";
        let body = serde_json::json!({ "errors": [{ "code": "DENIED", "message": words }] });
        (StatusCode::INTERNAL_SERVER_ERROR, body.to_string()).into_response()
    })
    .await;
    let realm = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let server = Faults::start(move |_| challenge(realm.clone())).await;
    let reference = server.reference("a:v1");
    let error = load_as(&reference, alice()).fails(&reference).await;
    let shown = format!("{} {error:?}", Report::new(&error));
    assert!(shown.contains("DENIED: Basic …"), "{shown}");
    assert!(!shown.contains("YWxpY2U6czNjcmV0"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
