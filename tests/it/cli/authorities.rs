//! `--ca` with every command that contacts other hosts.

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde_json::json;

use crate::support::certificates::Certificates;
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary};
use crate::support::mcp::Place;
use crate::support::tls::{Clients, SecureServer};

/// A component for anyone, and a registry's `/v2/` for alice.
async fn secure(certificates: &Certificates) -> SecureServer {
    let router = Router::new().fallback(|request: Request| async move {
        let known = request.headers().contains_key(header::AUTHORIZATION);
        match (request.uri().path(), known) {
            ("/v2/", false) => {
                let challenge = [("www-authenticate", "Basic realm=\"r\"")];
                (StatusCode::UNAUTHORIZED, challenge).into_response()
            }
            ("/v2/", true) => StatusCode::OK.into_response(),
            _ => ([("etag", "\"v1\"")], binary(ANSWER)).into_response(),
        }
    });
    SecureServer::start(certificates, Clients::Anyone, router).await
}

async fn run(cli: &Cli, args: &[&str]) -> Ended {
    let mut command = cli.command();
    command.args(args);
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.expect("no panic").expect("it runs").into()
}

#[tokio::test]
async fn commands_that_ask_hosts_take_an_authority() {
    let certificates = Certificates::new();
    let server = secure(&certificates).await;
    let ca = certificates.authority().display().to_string();
    let (url, host) = (
        server.url("/tool.wasm"),
        format!("localhost:{}", server.port),
    );
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).expect("a directory");
    // By default, loopback hosts use plain HTTP.
    let config = format!("[[registry.mirrors.'{host}']]\nhost = '{host}'\nplain_http = false\n");
    std::fs::write(cli.root().join("config.toml"), config).expect("written");
    let login = [
        "login",
        &host,
        "--username",
        "alice",
        "--password",
        "s3cret",
    ];
    for args in [
        &["load", "--uri", &url][..],
        &["inspect", &url],
        &["outdated"],
        &["update", "tool"],
        &["update", "--all"],
        &login,
        &["doctor"],
    ] {
        let without = run(&cli, args).await;
        assert_ne!(without.code, 0, "{args:?}: {}", without.stdout);
        let with = run(&cli, &[args, &["--ca", &ca]].concat()).await;
        assert_eq!(with.code, 0, "{args:?}: {}{}", with.stdout, with.stderr);
    }
}

#[tokio::test]
async fn a_server_takes_an_authority() {
    let certificates = Certificates::new();
    let server = secure(&certificates).await;
    let ca = certificates.authority().display().to_string();
    for (args, refused) in [(&["--ca", &ca][..], false), (&[], true)] {
        let place = Place::new();
        let client = place.stdio_with(args).await;
        let arguments = json!({ "uri": server.url("/tool.wasm") });
        let loaded = client.call("load-component", arguments).await;
        assert_eq!(loaded.is_error, Some(refused), "{loaded:?}");
    }
}
