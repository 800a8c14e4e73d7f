//! Whose message is shown when a pull fails, and the hint with it.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use tokio::net::TcpListener;
use wassette::error::{Diagnose, Report};
use wassette::fetch::{FetchError, FetchOptions};
use wassette::registry::{Credential, Host, Mirrors};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest, Seen};

fn honest() -> Honest {
    Honest::new(&Artifact::without_config(&[(WASM, &binary(ANSWER))]))
}

/// A refusal in the form of registries.
fn refusal(status: u16, code: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let words = serde_json::json!({ "errors": [{ "code": code, "message": "so it is" }] });
    let kind = [("content-type", "application/json")];
    (status, kind, words.to_string()).into_response()
}

fn shown(error: &FetchError) -> String {
    Report::new(error).to_string()
}

fn methods(server: &Faults) -> Vec<Method> {
    server.seen().into_iter().map(|seen| seen.method).collect()
}

#[tokio::test]
async fn a_registry_that_refuses_a_tag_is_asked_for_its_words() {
    for (status, code) in [
        (403, "DENIED"),
        (404, "MANIFEST_UNKNOWN"),
        (401, "UNAUTHORIZED"),
        (400, "TAG_INVALID"),
    ] {
        let server = Faults::start(move |_| refusal(status, code)).await;
        let error = Load::new().fails(&server.reference("a:v1")).await;
        let text = shown(&error);
        assert!(text.contains(&format!("{code}: so it is")), "{text}");
        let [head, get] = [Method::HEAD, Method::GET];
        // If the tag is missing, the existing tags are listed.
        let expected = match status {
            404 => vec![head, get.clone(), get],
            _ => vec![head, get],
        };
        assert_eq!(methods(&server), expected, "{status}");
    }
    // The message is shown once, however often the request was sent.
    let busy = Faults::start(|_| refusal(429, "TOOMANYREQUESTS")).await;
    let error = Load::new().fails(&busy.reference("a:v1")).await;
    assert_eq!(error.code(), "rate-limited");
    assert!(shown(&error).contains("TOOMANYREQUESTS: so it is"));
    let asked = methods(&busy);
    assert_eq!(asked.iter().filter(|one| **one == Method::GET).count(), 1);
}

#[tokio::test]
async fn a_tag_is_had_from_who_refuses_nothing_but_its_head() {
    let honest = honest();
    let server = Faults::start(move |seen| match seen.method == Method::HEAD {
        true => StatusCode::FORBIDDEN.into_response(),
        false => honest.answer(seen),
    })
    .await;
    let fetched = Load::new().run(&server.reference("a:v1")).await;
    // HEAD, manifest, component.
    assert_eq!(fetched.expect("a pull").receipt.requests, 3);
}

#[tokio::test]
async fn the_words_are_those_for_the_user() {
    let tokens = Faults::start(|_| r#"{"token":"t0ken"}"#.into_response()).await;
    let challenge = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let server = Faults::start(move |seen| match seen.authorization.as_deref() {
        Some("Bearer t0ken") => refusal(403, "DENIED"),
        _ => {
            let challenge = [("www-authenticate", challenge.clone())];
            (StatusCode::UNAUTHORIZED, challenge).into_response()
        }
    })
    .await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert!(shown(&error).contains("403 Forbidden: DENIED: so it is"));
    // HEAD, HEAD and GET with the token, which is fetched once.
    let [head, get] = [Method::HEAD, Method::GET];
    assert_eq!(methods(&server), [head.clone(), head, get]);
    assert_eq!(tokens.seen().len(), 1);
}

#[tokio::test]
async fn a_mirror_that_refuses_a_tag_is_not_asked_why() {
    let mirror = Faults::start(|_| refusal(404, "NAME_UNKNOWN")).await;
    let honest = honest();
    let upstream = Faults::start(move |seen| honest.answer(seen)).await;
    let load = hosts(&upstream, &[&mirror.address()]);
    load.run(&upstream.reference("a:v1")).await.expect("a pull");
    let tags = |seen: &&Seen| seen.target.contains("/manifests/v1");
    assert_eq!(mirror.seen().iter().filter(tags).count(), 1);
}

/// A load with these hosts, in this order, for the registry.
fn hosts(registry: &Faults, addresses: &[&str]) -> Load {
    let host = |address: &&str| {
        let text = format!("host = '{address}'\ncapabilities = ['pull', 'resolve']");
        toml::from_str::<Host>(&text).expect("a host")
    };
    let name = registry.address().try_into().expect("a registry");
    Load::with(FetchOptions {
        registry: wassette::registry::Options {
            mirrors: Mirrors {
                hosts: [(name, addresses.iter().map(host).collect())].into(),
                certs_dir: None,
            },
            ..Default::default()
        },
        ..FetchOptions::default()
    })
}

#[tokio::test]
async fn the_registry_has_the_word_wherever_it_stands() {
    let registry = Faults::start(|_| refusal(401, "UNAUTHORIZED")).await;
    let backup = Faults::start(|_| refusal(404, "NAME_UNKNOWN")).await;
    let (one, two) = (registry.address(), backup.address());
    for order in [[one.as_str(), &two], [&two, &one]] {
        let load = hosts(&registry, &order);
        let error = load.fails(&registry.reference("a:v1")).await;
        assert_eq!(error.code(), "unauthorized", "{order:?}");
        let hint = error.hint().expect("a hint");
        assert!(hint.contains("wassette login"), "{hint}");
        let tried: Vec<_> = error.facts().into_iter().map(|(_, host)| host).collect();
        let in_order = tried.iter().zip(order);
        assert!(in_order.clone().count() == 2, "{tried:?}");
        for (tried, host) in in_order {
            assert!(tried.starts_with(host), "{tried}");
        }
    }
}

#[tokio::test]
async fn a_token_server_that_talks_nonsense_is_named() {
    for nonsense in ["<html>", "{}", r#"{"token":""}"#, r#"{"token":"a\nb"}"#] {
        let tokens = Faults::start(move |_| nonsense.into_response()).await;
        let challenge = format!("Bearer realm=\"{}\"", tokens.url("/token"));
        let server = Faults::start(move |_| {
            let challenge = [("www-authenticate", challenge.clone())];
            (StatusCode::UNAUTHORIZED, challenge).into_response()
        })
        .await;
        let alice = Credential::Password {
            username: "alice".into(),
            secret: "s3cret".into(),
        };
        let load = Load::with_credential(&server.address(), alice);
        let error = load.fails(&server.reference("a:v1")).await;
        assert_eq!(error.code(), "oci-pull-failed");
        let text = shown(&error);
        let said = format!("`{}` gave no token", tokens.address());
        assert!(text.contains(&said), "{text}");
        // The token server did get the password.
        assert!(tokens.seen()[0].authorization.is_some());
        assert!(!text.contains("nothing was sent"), "{text}");
    }
}

#[tokio::test]
async fn credentials_of_the_wrong_kind_are_not_called_missing() {
    let server = Faults::start(|_| {
        let challenge = [("www-authenticate", "Basic realm=\"r\"")];
        (StatusCode::UNAUTHORIZED, challenge).into_response()
    })
    .await;
    let load = Load::with_credential(&server.address(), Credential::IdentityToken("i".into()));
    let error = load.fails(&server.reference("a:v1")).await;
    let hint = error.hint().expect("a hint");
    assert!(
        hint.contains("the credentials from the command line"),
        "{hint}"
    );
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_and_hosts_that_stay_silent() {
    let proxied = Faults::start(|_| refusal(407, "PROXY")).await;
    let error = Load::new().fails(&proxied.reference("a:v1")).await;
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("USER:PASSWORD@PROXY"), "{hint}");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let load = Load::with(FetchOptions {
        net: wassette::net::Options {
            idle_timeout: Duration::from_millis(150),
            retries: 0,
            ..Default::default()
        },
        ..FetchOptions::default()
    });
    let error = load.fails(&format!("oci://{address}/a:v1")).await;
    let text = shown(&error);
    assert!(text.contains("waiting: 0.15 s"), "{text}");
    assert!(text.contains(&address.to_string()), "{text}");
    assert!(error.hint().expect("a hint").contains("proxy"), "{text}");
}
