//! Streamable HTTP, and the checks of both HTTP transports.

use reqwest::{Client as Http, StatusCode};
use rmcp::ClientServiceExt;
use rmcp::model::{ProtocolVersion, ServerNotification, SubscriptionFilter};
use rmcp::service::ClientLifecycleMode;
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::json;

use crate::support::mcp::{CALC, Ear, PATIENCE, Place, install_tls, params};
#[cfg(target_os = "linux")]
use crate::support::processor;

#[tokio::test]
async fn sessions_load_call_and_hear_news() {
    let place = Place::new();
    let server = place.http(&[]).await;
    for version in [ProtocolVersion::V_2025_03_26, ProtocolVersion::V_2025_11_25] {
        let mut client = server.client(version.clone()).await;
        let info = client.service.peer_info().unwrap();
        assert_eq!(info.protocol_version, version);
        let uri = place.component("calc.wat", CALC);
        // The stream for notifications opens during the handshake, so it may miss the first one.
        let changes = async {
            let other = server.client(version.clone()).await;
            loop {
                other.load(&uri).await;
                other
                    .call("unload-component", json!({ "id": "calc" }))
                    .await;
            }
        };
        tokio::select! {
            () = client.tools_changed() => {}
            () = changes => {}
        }
        client.load(&uri).await;
        let sum = client.call("add", json!({ "a": 2, "b": 3 })).await;
        assert_eq!(sum.structured_content, Some(json!({ "result": 5 })));
        client
            .call("unload-component", json!({ "id": "calc" }))
            .await;
    }
}

#[tokio::test]
async fn the_stateless_revision_works_without_a_session() {
    install_tls();
    let place = Place::new();
    let server = place.http(&[]).await;
    let transport = StreamableHttpClientTransport::from_uri(server.at("/mcp"));
    let (ear, _) = Ear::new(ProtocolVersion::V_2026_07_28);
    let lifecycle = ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    };
    let client = ear
        .serve_with_lifecycle(transport, lifecycle)
        .await
        .unwrap();
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscription = client.listen(filter).await.unwrap();
    let uri = place.component("calc.wat", CALC);
    let load = params("load-component", json!({ "uri": uri }));
    client.call_tool(load).await.unwrap();
    let heard = tokio::time::timeout(PATIENCE, subscription.next()).await;
    assert!(matches!(
        heard.expect("nothing was heard").unwrap(),
        Some(ServerNotification::ToolListChangedNotification(_))
    ));
    let sum = client
        .call_tool(params("add", json!({ "a": 2, "b": 3 })))
        .await;
    assert_eq!(
        sum.unwrap().structured_content,
        Some(json!({ "result": 5 }))
    );
}

#[tokio::test]
async fn other_hosts_and_origins_are_forbidden_everywhere() {
    install_tls();
    let place = Place::new();
    let server = place
        .http(&[
            "--allowed-host",
            "mcp.example",
            "--allowed-origin",
            "https://app.example",
        ])
        .await;
    let http = Http::new();
    let status = async |path: &str, header: &str, value: &str| {
        let request = http.get(server.at(path)).header(header, value);
        request.send().await.unwrap().status()
    };
    for path in [
        "/sse",
        "/mcp",
        "/message/x",
        "/healthz",
        "/readyz",
        "/elsewhere",
    ] {
        for (header, value) in [
            ("host", "evil.example"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://app.example"),
            ("host", "app.example"),
        ] {
            let status = status(path, header, value).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {header}: {value}");
        }
    }
    for (header, value) in [
        ("host", "mcp.example"),
        ("host", "localhost:1"),
        ("origin", "https://mcp.example"),
        ("origin", "https://app.example"),
        ("origin", "http://localhost:6274"),
    ] {
        let status = status("/healthz", header, value).await;
        assert_eq!(status, StatusCode::OK, "{header}: {value}");
    }
}

#[tokio::test]
async fn a_terminated_server_ends_streams_and_exits() {
    let place = Place::new();
    // Only the end of the server ends the call while the test waits.
    let mut server = place.http(&["--call-timeout", "3600"]).await;
    let client = server.client(ProtocolVersion::V_2025_11_25).await;
    let stream = Http::new().get(server.at("/sse")).send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    client.load(&place.component("calc.wat", CALC)).await;
    #[cfg(target_os = "linux")]
    let before = server.cpu_time();
    let spinning = client.service.call_tool(params("spin", json!({})));
    let stop = async {
        #[cfg(target_os = "linux")]
        processor::until_running(before, || server.cpu_time()).await;
        server.terminate();
        assert_eq!(server.ended().await, Some(0));
    };
    let _ = tokio::join!(tokio::time::timeout(PATIENCE, spinning), stop);
    drop(stream);
}

#[tokio::test]
async fn a_taken_port_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new();
    let mut command = place.command(&["--transport", "streamable-http", "--bind", &address]);
    let ended = command.output().await.unwrap();
    assert!(!ended.status.success());
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains(&address), "{stderr}");
    assert!(stderr.contains("hint: another process"), "{stderr}");
}
