//! The hosts to which registries and web servers may redirect this program: none that they could
//! not reach themselves, and never from TLS to plain HTTP.

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use wassette::error::Diagnose;
use wassette::fetch::FetchOptions;
use wassette::registry::{Host, Mirrors};

use crate::support::Load;
use crate::support::certificates::Certificates;
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, redirect};
use crate::support::proxy::Proxy;
use crate::support::tls::{Clients, SecureServer};

/// A private service of this machine.
async fn inner() -> Faults {
    Faults::start(|_| r#"{"token":"t"}"#.into_response()).await
}

/// Inspects a component of `registry.test`, for which a proxy answers.
async fn inspect(config: &str, proxy: (&str, &Proxy), uri: &str) -> Ended {
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).expect("a directory");
    std::fs::write(cli.root().join("config.toml"), config).expect("written");
    let mut command = cli.command();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.args(["inspect", uri]).env(proxy.0, proxy.1.url());
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.expect("no panic").expect("it runs").into()
}

#[tokio::test]
async fn a_public_host_leads_to_nothing_on_this_machine() {
    let inner = inner().await;
    let port = inner
        .address()
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    for to in [
        format!("http://127.0.0.1:{port}/x"),
        format!("http://localhost:{port}/x"),
        format!("http://localhost.:{port}/x"),
        format!("http://[::ffff:127.0.0.1]:{port}/x"),
        format!("http://0.0.0.0:{port}/x"),
    ] {
        let target = to.clone();
        let answers: [fn(&str) -> Response; 2] = [
            |to| redirect(to),
            |to| {
                let challenge = [("www-authenticate", format!("Bearer realm=\"{to}\""))];
                (StatusCode::UNAUTHORIZED, challenge).into_response()
            },
        ];
        for answer in answers {
            let target = target.clone();
            let server = Faults::start(move |_| answer(&target)).await;
            let proxy = Proxy::start(server.address().parse().expect("an address")).await;
            let config = "[registry]\nplain_http = ['registry.test', '0.0.0.0', 'localhost.']\n";
            let uri = "oci://registry.test/a:v1";
            let ended = inspect(config, ("HTTP_PROXY", &proxy), uri).await;
            assert_eq!(ended.code, 4, "{to}: {}", ended.stderr);
            assert!(
                ended.stderr.contains("is not followed") || ended.stderr.contains("its realm is"),
                "{to}: {}",
                ended.stderr
            );
            assert_eq!(proxy.lines().len(), 1, "{to}: {:?}", proxy.lines());
        }
    }
    assert!(inner.seen().is_empty());
}

#[tokio::test]
async fn a_secure_registry_has_no_token_server_on_this_machine() {
    let (certificates, inner) = (Certificates::new(), inner().await);
    let secure = SecureServer::of(&certificates, binary(ANSWER)).await;
    for realm in [inner.url("/token"), secure.url("/token")] {
        let challenge = format!("Bearer realm=\"{realm}\"");
        let router = Router::new().fallback(move || async move {
            (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)])
        });
        let registry = SecureServer::start(&certificates, Clients::Anyone, router).await;
        let proxy = Proxy::start(([127, 0, 0, 1], registry.port).into()).await;
        let config = "[network]\ninsecure = ['registry.test:443']\n";
        let uri = "oci://registry.test/a:v1";
        let ended = inspect(config, ("HTTPS_PROXY", &proxy), uri).await;
        assert_eq!(ended.code, 4, "{}", ended.stderr);
        assert!(ended.stderr.contains("its realm is"), "{}", ended.stderr);
        assert_eq!(proxy.lines(), ["CONNECT registry.test:443 HTTP/1.1"]);
    }
    assert!(inner.seen().is_empty());
}

#[tokio::test]
async fn nothing_leads_from_tls_into_the_clear() {
    let (certificates, inner) = (Certificates::new(), inner().await);
    let to = inner.url("/x");
    let router = Router::new().fallback(move || async move { redirect(&to) });
    let secure = SecureServer::start(&certificates, Clients::Anyone, router).await;
    let authority = format!("localhost:{}", secure.port);
    let host = toml::from_str::<Host>(&format!("host = '{authority}'\nplain_http = false"));
    let name = authority.clone().try_into().expect("a registry");
    let load = Load::with(FetchOptions {
        net: wassette::net::Options {
            ca_files: vec![certificates.authority()],
            ..Default::default()
        },
        registry: wassette::registry::Options {
            mirrors: Mirrors {
                hosts: [(name, vec![host.expect("a host")])].into(),
                certs_dir: None,
            },
            ..Default::default()
        },
        ..FetchOptions::default()
    });
    for (reference, code) in [
        (secure.url("/a.wasm"), "download-failed"),
        (format!("oci://{authority}/a:v1"), "oci-pull-failed"),
    ] {
        let error = load.fails(&reference).await;
        assert_eq!(error.code(), code);
        let text = wassette::error::Report::new(&error).to_string();
        assert!(text.contains("it leads to plain HTTP"), "{text}");
    }
    assert!(inner.seen().is_empty());
}
