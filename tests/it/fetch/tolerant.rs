//! Known deviations of registries and servers that are tolerated, and the messages about them.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use wassette::error::{Class, Diagnose, Report};
use wassette::fetch::FetchOptions;
use wassette::registry::{CredentialOptions, Host, Mirrors, Visibility};
use wassette::{net, registry};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::certificates::Certificates;
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest, Seen};
use crate::support::tls::SecureServer;

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// The header of `bob:pw`.
const BASIC: &str = "Basic Ym9iOnB3";

fn answer() -> Artifact {
    Artifact::without_config(&[(WASM, &binary(ANSWER))])
}

fn as_bob(address: &str) -> Load {
    Load::with(FetchOptions {
        registry: registry::Options {
            credentials: CredentialOptions {
                registry_auth: Some(format!("{address}:bob:pw").into()),
                ..CredentialOptions::default()
            },
            ..registry::Options::default()
        },
        ..FetchOptions::default()
    })
}

/// A registry that answers anonymous requests with `status`, and sends `challenge` only at `/v2/`.
async fn hiding(status: StatusCode, challenge: Option<&'static str>) -> Faults {
    let honest = Honest::new(&answer());
    Faults::start(move |seen: &Seen| {
        if seen.authorization.as_deref() == Some(BASIC) {
            return honest.answer(seen);
        }
        match (seen.target.as_str(), challenge) {
            ("/v2/", Some(challenge)) => {
                let challenge = [(header::WWW_AUTHENTICATE, challenge)];
                (StatusCode::UNAUTHORIZED, challenge).into_response()
            }
            ("/v2/", None) => StatusCode::UNAUTHORIZED.into_response(),
            _ => (status, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#).into_response(),
        }
    })
    .await
}

#[tokio::test]
async fn a_registry_that_hides_its_repositories_is_shown_the_credentials() {
    for (status, challenge) in [
        (StatusCode::NOT_FOUND, Some("Basic realm=\"r\"")),
        (StatusCode::FORBIDDEN, Some("Basic realm=\"r\"")),
        (StatusCode::UNAUTHORIZED, Some("Basic realm=\"r\"")),
        (StatusCode::UNAUTHORIZED, None),
    ] {
        let server = hiding(status, challenge).await;
        let reference = server.reference("team/a:v1");
        let load = as_bob(&server.address());
        let fetched = load.run(&reference).await.expect("a pull");
        assert_eq!(fetched.receipt.openness, Visibility::Private, "{status}");
        // Without credentials for this host, `/v2/` is not requested.
        let before = server.seen().len();
        as_bob("127.0.0.1:1").fails(&reference).await;
        let asked = server.seen().split_off(before);
        assert!(asked.iter().all(|seen| seen.target != "/v2/"), "{status}");
    }
}

#[tokio::test]
async fn what_is_not_there_says_whose_credentials_were_shown() {
    let server = Faults::start(|seen: &Seen| match seen.target.as_str() {
        "/v2/" => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"r\"")];
            (StatusCode::UNAUTHORIZED, challenge).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    let load = as_bob(&server.address());
    let error = load.fails(&server.reference("a:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("not-found", Class::NotFound)
    );
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("WASSETTE_REGISTRY_AUTH"), "{hint}");
}

#[tokio::test]
async fn a_registry_without_tls_is_told_of_at_once() {
    let server = Faults::start(|_| StatusCode::OK.into_response()).await;
    let address = server.address();
    let host =
        format!("host = '{address}'\nplain_http = false\ncapabilities = ['pull', 'resolve']");
    let host = toml::from_str::<Host>(&host).expect("a host");
    let name = address.clone().try_into().expect("a registry");
    let load = Load::with(FetchOptions {
        registry: registry::Options {
            mirrors: Mirrors {
                hosts: [(name, vec![host])].into(),
                certs_dir: None,
            },
            ..registry::Options::default()
        },
        ..FetchOptions::default()
    });
    let error = load.fails(&server.reference("a:v1")).await;
    let report = Report::new(&error).to_string();
    assert!(report.contains("plain HTTP"), "{report}");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("plain_http"), "{hint}");
}

#[tokio::test]
async fn a_component_filed_as_an_archive_is_taken_for_what_it_is() {
    let wasm = binary(ANSWER);
    for media_type in [TAR, &format!("{TAR}+gzip"), "application/gzip"] {
        let artifact = Artifact::without_config(&[(media_type, &wasm)]);
        let honest = Honest::new(&artifact);
        let server = Faults::start(move |seen| honest.answer(seen)).await;
        let load = Load::new();
        let fetched = load.run(&server.reference("a:v1")).await;
        let fetched = fetched.expect("a pull");
        let bytes = std::fs::read(fetched.component.path).expect("a file");
        assert_eq!(bytes, wasm, "{media_type}");
    }
}

#[tokio::test]
async fn layers_of_other_types_are_listed_with_those_that_are_taken() {
    let artifact = Artifact::without_config(&[("application/octet-stream", &binary(ANSWER))]);
    let honest = Honest::new(&artifact);
    let server = Faults::start(move |seen| honest.answer(seen)).await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    assert_eq!(error.code(), "invalid-media-type");
    let report = Report::new(&error).to_string();
    for part in [
        "application/octet-stream",
        "application/wasm",
        "image.layer.v1.tar",
    ] {
        assert!(report.contains(part), "{report}");
    }
}

/// The answer with a compressed body, as some proxies send it.
fn encoded(body: &[u8]) -> Response {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, body).expect("memory");
    let packed = packed.finish().expect("memory");
    ([(header::CONTENT_ENCODING, "gzip")], packed).into_response()
}

#[tokio::test]
async fn an_encoding_that_nobody_asked_for_is_named() {
    let wasm = binary(ANSWER);
    let (artifact, honest) = (answer(), Honest::new(&answer()));
    let manifest = artifact.bytes();
    let (blob, document) = (wasm.clone(), honest.clone());
    let blobs = Faults::start(move |seen: &Seen| match seen.target.contains("/blobs/") {
        true => encoded(&blob),
        false => document.answer(seen),
    })
    .await;
    let manifests = Faults::start(
        move |seen: &Seen| match seen.target.contains("/manifests/") {
            true => encoded(&manifest),
            false => honest.answer(seen),
        },
    )
    .await;
    let file = wasm.clone();
    let files = Faults::start(move |_| encoded(&file)).await;
    for reference in [
        blobs.reference("a:v1"),
        format!("oci://{}/a@{}", manifests.address(), artifact.digest()),
        files.url("/a.wasm"),
    ] {
        let error = Load::new().fails(&reference).await;
        let report = Report::new(&error).to_string();
        assert!(report.contains("encoding `gzip`"), "{report}");
        assert!(!report.contains("tampered"), "{report}");
    }
}

#[tokio::test]
async fn a_listed_certificate_is_trusted_as_itself() {
    let own = Certificates::self_signed();
    let server = SecureServer::of(&own, binary(ANSWER)).await;
    let url = server.url("/a.wasm");
    assert_eq!(
        Load::new().fails(&url).await.code(),
        "untrusted-certificate"
    );
    let trusting = |file| {
        Load::with(FetchOptions {
            net: net::Options {
                ca_files: vec![file],
                ..net::Options::default()
            },
            ..FetchOptions::default()
        })
    };
    trusting(own.file("server.pem"))
        .run(&url)
        .await
        .expect("a pull");
    let other = Certificates::self_signed();
    trusting(other.file("server.pem")).fails(&url).await;
    // Its name is still verified.
    let elsewhere = url.replace("localhost", "127.0.0.1");
    let error = trusting(own.file("server.pem")).fails(&elsewhere).await;
    assert_eq!(error.code(), "untrusted-certificate");
}

#[tokio::test]
async fn each_retry_is_told() {
    let honest = Honest::new(&answer());
    let failed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let server = Faults::start(move |seen: &Seen| {
        match failed.swap(true, std::sync::atomic::Ordering::SeqCst) {
            false => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            true => honest.answer(seen),
        }
    })
    .await;
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).expect("a directory");
    let config = cli.root().join("config.toml");
    std::fs::write(config, "[network]\nretry_base_ms = 1\n").expect("a file");
    let mut load = cli.command();
    load.args(["load", &server.reference("a:v1")]);
    let loaded = tokio::task::spawn_blocking(move || load.output()).await;
    let loaded: Ended = loaded.expect("no panic").expect("it runs").into();
    let said = loaded.stderr;
    assert_eq!(loaded.code, 0, "{said}");
    for part in [server.address().as_str(), "503", "retry 1 of 3 in"] {
        assert!(said.contains(part), "{said}");
    }
}
