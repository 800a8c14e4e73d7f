//! Certificates, proxies, conditional requests and logs, mostly through the binary.

use std::path::Path;

use axum::response::IntoResponse;
use http::{Method, StatusCode};
use wassette::digest::Digest;
use wassette::error::Diagnose;
use wassette::fetch::FetchOptions;

use crate::support::Load;
use crate::support::certificates::Certificates;
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, redirect};
use crate::support::proxy::Proxy;
use crate::support::tls::SecureServer;

/// Retries pause for a millisecond.
fn configured(network: &str) -> Cli {
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).expect("a directory");
    let text = format!("[network]\nretry_base_ms = 1\n{network}\n");
    std::fs::write(cli.root().join("config.toml"), text).expect("a file");
    cli
}

async fn run(cli: &Cli, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut command = cli.command();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.args(args).envs(env.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.expect("no panic").expect("it runs").into()
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_certificate_must_be_vouched_for() {
    let certificates = Certificates::new();
    let server = SecureServer::of(&certificates, binary(ANSWER)).await;
    let url = server.url("/a.wasm");
    let error = Load::new().fails(&url).await;
    assert_eq!(error.code(), "untrusted-certificate");
    assert!(error.hint().expect("a hint").contains("--ca FILE"));

    let trusting = Load::with(FetchOptions {
        net: wassette::net::Options {
            ca_files: vec![certificates.authority()],
            ..Default::default()
        },
        ..FetchOptions::default()
    });
    trusting.run(&url).await.expect("a download");
    // The name is checked too.
    let other = FetchOptions {
        net: wassette::net::Options {
            ca_files: vec![Certificates::new().authority()],
            ..Default::default()
        },
        ..FetchOptions::default()
    };
    Load::with(other).fails(&url).await;
}

#[tokio::test]
async fn ca_files_are_read_strictly() {
    let files = tempfile::TempDir::new().expect("a directory");
    let empty = files.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").expect("a file");
    for file in [empty, files.path().join("missing.pem")] {
        let options = FetchOptions {
            net: wassette::net::Options {
                ca_files: vec![file],
                ..Default::default()
            },
            ..FetchOptions::default()
        };
        let error = Load::with(options).fails("https://127.0.0.1:1/a").await;
        assert_eq!(error.code(), "invalid-ca");
    }
}

#[tokio::test]
async fn cas_by_option_configuration_and_environment() {
    let certificates = Certificates::new();
    let server = SecureServer::of(&certificates, binary(ANSWER)).await;
    let (url, file) = (server.url("/a.wasm"), text(&certificates.authority()));
    let inspect = ["inspect", &url];

    let refused = run(&configured(""), &inspect, &[]).await;
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    let option = run(&configured(""), &["inspect", &url, "--ca", &file], &[]).await;
    assert_eq!(option.code, 0, "{}", option.stderr);
    let config = configured(&format!("ca = [{file:?}]"));
    let config = run(&config, &inspect, &[]).await;
    assert_eq!(config.code, 0, "{}", config.stderr);
    let environment = run(&configured(""), &inspect, &[("SSL_CERT_FILE", &file)]).await;
    assert_eq!(environment.code, 0, "{}", environment.stderr);
}

#[tokio::test]
async fn an_insecure_host_is_warned_of() {
    let certificates = Certificates::new();
    let server = SecureServer::of(&certificates, binary(ANSWER)).await;
    let url = server.url("/a.wasm");
    let listed = format!("insecure = [\"localhost:{}\"]", server.port);
    let ended = run(&configured(&listed), &["inspect", &url], &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains(&format!("`localhost:{}` is not checked", server.port)),
        "{}",
        ended.stderr
    );
    let other = configured("insecure = [\"example.com\"]");
    assert_eq!(run(&other, &["inspect", &url], &[]).await.code, 4);
}

#[tokio::test]
async fn proxies_from_the_environment() {
    let certificates = Certificates::new();
    let secure = SecureServer::of(&certificates, binary(ANSWER)).await;
    let address = ([127, 0, 0, 1], secure.port).into();
    let ca = text(&certificates.authority());
    let url = secure.url("/a.wasm");
    let inspect = ["inspect", &url, "--ca", &ca];
    for variable in ["HTTPS_PROXY", "ALL_PROXY"] {
        let proxy = Proxy::start(address).await;
        let cli = configured("");
        let ended = run(&cli, &inspect, &[(variable, &proxy.url())]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let connect = format!("CONNECT localhost:{} HTTP/1.1", secure.port);
        assert!(proxy.lines().contains(&connect), "{:?}", proxy.lines());

        let without = [
            (variable, proxy.url()),
            ("NO_PROXY", "localhost".to_owned()),
        ];
        let without = without
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let before = proxy.lines().len();
        assert_eq!(run(&cli, &inspect, &without).await.code, 0);
        assert_eq!(proxy.lines().len(), before);
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_says_so() {
    let proxy = Faults::start(|_| StatusCode::PROXY_AUTHENTICATION_REQUIRED.into_response()).await;
    let env = [("HTTPS_PROXY", proxy.url(""))];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    let args = ["inspect", "oci://registry.test/a:v1"];
    let ended = run(&configured(""), &args, &env).await;
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the proxy wants a login"),
        "{}",
        ended.stderr
    );
    let asked: Vec<Method> = proxy.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(asked, [Method::CONNECT], "it will not think better of it");
}

#[tokio::test]
async fn plain_hosts_are_reached_through_a_proxy_and_loopback_is_not() {
    let server = Faults::start(|_| StatusCode::NOT_FOUND.into_response()).await;
    let proxy = Proxy::start(server.address().parse().unwrap()).await;
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).expect("a directory");
    let config = "[registry]\nplain_http = [\"registry.test\"]\n";
    std::fs::write(cli.root().join("config.toml"), config).expect("a file");
    let env = [("HTTP_PROXY", proxy.url())];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ended = run(&cli, &["inspect", "oci://registry.test/a:v1"], &env).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let line = "HEAD http://registry.test/v2/a/manifests/v1 HTTP/1.1";
    assert_eq!(proxy.lines(), [line]);
    let ended = run(&cli, &["inspect", &server.reference("a:v1")], &env).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert_eq!(proxy.lines().len(), 1);
}

#[tokio::test]
async fn the_log_names_requests_without_their_secrets() {
    let storage = Faults::start(|_| binary(ANSWER).into_response()).await;
    let signed = storage.url("/store?X-Amz-Signature=s3cret");
    let server = Faults::start(move |_| redirect(&signed)).await;
    let cli = configured("");
    let url = server.url("/a.wasm?token=s3cret");
    let ended = run(&cli, &["-v", "load", "--uri", &url], &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let log = &ended.stderr;
    for part in [
        "method=GET",
        &format!("host={}", storage.address()),
        "path=\"/store\"",
        "status=200",
        "bytes=",
        "ms=",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!log.contains("s3cret"), "{log}");

    let missing = Faults::start(|_| StatusCode::NOT_FOUND.into_response()).await;
    let url = missing.url("/b.wasm?token=s3cret");
    let ended = run(&cli, &["load", "--uri", &url], &[]).await;
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("b.wasm?…"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
}

/// A web server that supports conditional requests, with or without HEAD.
async fn conditional(head: StatusCode) -> Faults {
    Faults::start(move |seen| {
        if seen.method == Method::HEAD && head != StatusCode::OK {
            return head.into_response();
        }
        match seen.if_none_match.as_deref() {
            Some("\"v1\"") => StatusCode::NOT_MODIFIED.into_response(),
            _ => ([("etag", "\"v1\"")], binary(ANSWER)).into_response(),
        }
    })
    .await
}

#[tokio::test]
async fn an_unchanged_file_is_not_downloaded_again() {
    for (head, requests) in [(StatusCode::OK, 3), (StatusCode::FORBIDDEN, 4)] {
        let server = conditional(head).await;
        let cli = configured("");
        let url = server.url("/a.wasm");
        for status in ["new", "already loaded"] {
            let ended = run(&cli, &["load", "--uri", &url], &[]).await;
            assert_eq!(ended.code, 0, "{}", ended.stderr);
            assert!(ended.stdout.contains(status), "{}", ended.stdout);
        }
        assert_eq!(server.seen().len(), requests, "{head}");
    }
}

#[tokio::test]
async fn a_digest_in_the_address_pins_the_file() {
    let server = conditional(StatusCode::OK).await;
    let digest = Digest::of(&binary(ANSWER)).to_string().replace(':', "=");
    let cli = configured("require_digest = true");
    let bare = run(&cli, &["load", "--uri", &server.url("/a.wasm")], &[]).await;
    assert_eq!(bare.code, 5, "{}", bare.stderr);
    assert!(bare.stderr.contains("#sha256="), "{}", bare.stderr);
    assert!(server.seen().is_empty());

    let pinned = server.url(&format!("/a.wasm#{digest}"));
    let ended = run(&cli, &["load", "--uri", &pinned], &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("pinned"), "{}", ended.stdout);

    // A component installed with another digest does not satisfy this one.
    let other = Digest::of(b"other").to_string().replace(':', "=");
    let other = server.url(&format!("/a.wasm#{other}"));
    let ended = run(&cli, &["load", "--uri", &other], &[]).await;
    assert_eq!(ended.code, 5, "{}", ended.stderr);
}
