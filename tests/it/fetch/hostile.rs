//! Deceptive documents, and registries that redirect to other hosts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use wassette::digest::Digest;
use wassette::error::{Class, Diagnose};

use crate::support::Load;
use crate::support::artifact::{Artifact, INDEX, MANIFEST, WASM, WASM_CONFIG};
use crate::support::components::{ANSWER, EMPTY, binary};
use crate::support::faults::{Faults, Honest, redirect};

fn answer() -> Artifact {
    Artifact::without_config(&[(WASM, &binary(ANSWER))])
}

/// A registry that has only this document, and serves it as this type.
async fn document(content_type: &'static str, bytes: Vec<u8>) -> Faults {
    Faults::start(move |seen| match seen.method == Method::HEAD {
        true => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        false => ([("content-type", content_type)], bytes.clone()).into_response(),
    })
    .await
}

#[tokio::test]
async fn documents_with_two_meanings_lead_to_no_blob() {
    let manifest = answer().manifest;
    let with = |key: &str, value: Value| {
        let mut changed = manifest.clone();
        changed[key] = value;
        changed
    };
    let mut silent = manifest.clone();
    silent
        .as_object_mut()
        .expect("an object")
        .remove("mediaType");
    for (content_type, document_) in [
        (MANIFEST, with("manifests", json!([]))),
        (INDEX, with("manifests", json!([]))),
        (MANIFEST, with("schemaVersion", json!(1))),
        (MANIFEST, with("schemaVersion", json!("2"))),
        (MANIFEST, with("mediaType", json!(INDEX))),
        (INDEX, manifest.clone()),
        (INDEX, silent),
        (MANIFEST, json!({ "schemaVersion": 2, "manifests": [] })),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            json!({ "schemaVersion": 1, "fsLayers": [], "history": [] }),
        ),
    ] {
        let server = document(content_type, document_.to_string().into_bytes()).await;
        let error = Load::new().fails(&server.reference("a:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("invalid-manifest", Class::InvalidComponent),
            "{content_type}: {document_}"
        );
        assert_eq!(server.seen().len(), 2, "no blob is asked for");
    }
}

#[tokio::test]
async fn digests_that_are_paths_are_never_asked_for() {
    let hex = Digest::of(b"x").hex();
    for digest in [
        "sha256:../../../../etc/passwd".to_owned(),
        format!("sha256:..%2f{}", &hex[5..]),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}0"),
        format!("sha256:{}", hex.to_uppercase()),
        format!("SHA256:{hex}"),
        format!("sha512:{hex}{hex}"),
        format!("md5:{}", &hex[..32]),
        hex.clone(),
        String::new(),
    ] {
        for place in ["layers", "config"] {
            let mut manifest = answer().manifest;
            let bad = json!({ "mediaType": WASM, "digest": digest, "size": 4 });
            manifest[place] = match place {
                "layers" => json!([bad]),
                _ => bad,
            };
            let server = document(MANIFEST, manifest.to_string().into_bytes()).await;
            let error = Load::new().fails(&server.reference("a:v1")).await;
            assert_eq!(error.code(), "invalid-manifest", "{digest}");
            assert_eq!(server.seen().len(), 2, "{digest}");
        }
    }
}

#[tokio::test]
async fn sizes_that_cannot_be_lead_to_no_blob() {
    for (size, code) in [
        ("-1", "invalid-manifest"),
        ("-9223372036854775808", "invalid-manifest"),
        ("1.5", "invalid-manifest"),
        ("1e3", "invalid-manifest"),
        ("\"4\"", "invalid-manifest"),
        ("null", "invalid-manifest"),
        ("18446744073709551616", "invalid-manifest"),
        ("18446744073709551615", "too-large"),
        ("9223372036854775808", "too-large"),
    ] {
        for place in ["layers", "config"] {
            let digest = Digest::of(b"x");
            let kind = if place == "layers" { WASM } else { WASM_CONFIG };
            let bad = format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#);
            let layers = match place {
                "layers" => bad.clone(),
                _ => answer().manifest["layers"][0].to_string(),
            };
            let config = match place {
                "config" => format!(r#""config":{bad},"#),
                _ => String::new(),
            };
            let text = format!(r#"{{"schemaVersion":2,{config}"layers":[{layers}]}}"#);
            let server = document(MANIFEST, text.into_bytes()).await;
            let error = Load::new().run(&server.reference("a:v1")).await;
            assert_eq!(error.expect_err(size).code(), code, "{place}: {size}");
            let blob = server
                .seen()
                .into_iter()
                .any(|seen| seen.target.ends_with(&digest.hex()));
            assert!(!blob, "{place}: {size}");
        }
    }
}

#[tokio::test]
async fn deep_and_long_documents_are_refused() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"schemaVersion":2,"x":{open}{close},"layers":{open}{close}}}"#)
    };
    let layer = answer().manifest["layers"][0].clone();
    let long = |layers: usize| {
        json!({ "schemaVersion": 2, "layers": vec![layer.clone(); layers] }).to_string()
    };
    for (text, code) in [
        (nested(1000), "invalid-manifest"),
        (nested(1_000_000), "invalid-manifest"),
        (long(1001), "invalid-manifest"),
        (long(20_000), "invalid-manifest"),
        (long(100_000), "too-large"),
    ] {
        let server = document(MANIFEST, text.into_bytes()).await;
        let error = Load::new().fails(&server.reference("a:v1")).await;
        assert_eq!(error.code(), code);
        assert_eq!(server.seen().len(), 2, "no blob is asked for");
    }
}

#[tokio::test]
async fn a_digest_header_is_believed_only_as_far_as_it_is_a_digest() {
    for header in ["sha256:../../v2/other/manifests/x", "sha512:00", "x", ""] {
        let honest = Honest::new(&answer());
        let server = Faults::start(move |seen| {
            let mut response = honest.answer(seen);
            let value = header.parse().expect("a value");
            response
                .headers_mut()
                .insert("docker-content-digest", value);
            response
        })
        .await;
        let fetched = Load::new().run(&server.reference("a:v1")).await;
        let fetched = fetched.expect("a pull");
        assert_eq!(fetched.receipt.manifest_digest, Some(answer().digest()));
        let targets: Vec<String> = server.seen().into_iter().map(|seen| seen.target).collect();
        assert!(
            targets.iter().all(|t| t.starts_with("/v2/a/")),
            "{targets:?}"
        );
    }
}

#[tokio::test]
async fn a_tag_that_moves_is_not_followed() {
    let (first, second) = (
        answer(),
        Artifact::without_config(&[(WASM, &binary(EMPTY))]),
    );
    let (before, after) = (Honest::new(&first), Honest::new(&second));
    let moved = Arc::new(AtomicBool::new(false));
    let server = Faults::start(move |seen| {
        let by_digest = seen.target.contains("sha256:");
        if by_digest || !moved.swap(true, Ordering::SeqCst) {
            return before.answer(seen);
        }
        after.answer(seen)
    })
    .await;
    let fetched = Load::new().run(&server.reference("a:v1")).await;
    let fetched = fetched.expect("a pull");
    assert_eq!(fetched.receipt.manifest_digest, Some(first.digest()));
    assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
    let by_tag = server.seen();
    let by_tag = by_tag.iter().filter(|seen| seen.target.ends_with("/v1"));
    assert_eq!(by_tag.count(), 1, "the tag is asked for once");
}

#[tokio::test]
async fn addresses_of_foreign_layers_are_not_followed() {
    let wasm = binary(ANSWER);
    let elsewhere = Faults::start(move |_| wasm.clone().into_response()).await;
    for media_type in [
        WASM,
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        let mut artifact = Artifact::without_config(&[(media_type, &binary(ANSWER))]);
        artifact.manifest["layers"][0]["urls"] = json!([elsewhere.url("/layer")]);
        artifact.blobs.clear();
        let honest = Honest::new(&artifact);
        let server = Faults::start(move |seen| honest.answer(seen)).await;
        Load::new().fails(&server.reference("a:v1")).await;
    }
    assert!(elsewhere.seen().is_empty());
}

/// A registry that requires a token from a separate token server.
async fn guarded(
    realm: &str,
    blobs: impl Fn() -> Option<Response> + Clone + Send + Sync + 'static,
) -> Faults {
    let honest = Honest::new(&answer());
    let challenge = format!("Bearer realm=\"{realm}\"");
    Faults::start(move |seen| {
        if seen.authorization.is_none() {
            let challenge = [("www-authenticate", challenge.clone())];
            return (StatusCode::UNAUTHORIZED, challenge).into_response();
        }
        match blobs() {
            Some(answer) if seen.target.contains("/blobs/") => answer,
            _ => honest.answer(seen),
        }
    })
    .await
}

#[tokio::test]
async fn a_realm_that_redirects_gets_no_authorization() {
    let storage = Faults::start(|_| r#"{"token":"t"}"#.into_response()).await;
    let to = storage.url("/token");
    let realm = Faults::start(move |_| redirect(&to)).await;
    let server = guarded(&realm.url("/token"), || None).await;
    let fetched = Load::new().run(&server.reference("a:v1")).await;
    fetched.expect("a pull");
    let seen = [realm.seen(), storage.seen()].concat();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn realms_and_blobs_that_redirect_in_circles_end() {
    let circle = Faults::start(|seen| redirect(&seen.target)).await;
    let server = guarded(&circle.url("/token"), || None).await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(error.class(), Class::Network);
    assert!(circle.seen().len() <= 9, "{}", circle.seen().len());

    let tokens = Faults::start(|_| r#"{"token":"t"}"#.into_response()).await;
    let to = circle.url("/blob");
    let before = circle.seen().len();
    let server = guarded(&tokens.url("/token"), move || Some(redirect(&to))).await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(error.class(), Class::Network);
    let circled = circle.seen().split_off(before);
    assert!(circled.len() <= 9, "{}", circled.len());
    assert!(circled.iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn a_token_comes_from_no_clear_or_unclean_address() {
    for realm in [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/token",
        "http://example.com/token",
        "http://user:secret@127.0.0.1:1/token",
        "https://user@example.com/token",
        "file:///etc/passwd",
    ] {
        let server = guarded(realm, || None).await;
        let error = Load::new().fails(&server.reference("a:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("unauthorized", Class::Network),
            "{realm}"
        );
        assert_eq!(server.seen().len(), 1, "{realm}");
    }
}
