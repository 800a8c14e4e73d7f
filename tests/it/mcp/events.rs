//! Messages beside requests: list changes, progress, cancellation, and the end.

use rmcp::model::{
    CallToolRequest, ClientRequest, ProgressNotificationParam, ProtocolVersion, ServerNotification,
    SubscriptionFilter,
};
use rmcp::service::{ClientLifecycleMode, PeerRequestOptions, ServiceError};
use rmcp::{ClientServiceExt, ServiceExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::support::mcp::{CALC, Client, Ear, News, PATIENCE, Place, params};
#[cfg(target_os = "linux")]
use crate::support::processor;
use crate::support::wait::within;

#[tokio::test]
async fn clients_hear_when_the_tools_change() {
    let place = Place::new();
    let mut client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    client.tools_changed().await;
    client
        .call("unload-component", json!({ "id": "calc" }))
        .await;
    client.tools_changed().await;
}

#[tokio::test]
async fn subscribers_hear_when_the_tools_change() {
    let place = Place::new();
    let (mut server, pipes) = place.piped(&[]);
    let (ear, _) = Ear::new(ProtocolVersion::V_2026_07_28);
    let lifecycle = ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    };
    let mut client = ear.serve_with_lifecycle(pipes, lifecycle).await.unwrap();
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscription = client.listen(filter).await.unwrap();
    assert_eq!(subscription.acknowledged().tools_list_changed, Some(true));

    let uri = place.component("calc.wat", CALC);
    let load = params("load-component", json!({ "uri": uri }));
    client.call_tool(load).await.unwrap();
    let heard = tokio::time::timeout(PATIENCE, subscription.next()).await;
    let heard = heard.expect("nothing was heard").unwrap();
    assert!(matches!(
        heard,
        Some(ServerNotification::ToolListChangedNotification(_))
    ));

    // An open subscription does not delay the end.
    client.close().await.unwrap();
    let ended = within("the end of the server", server.wait()).await;
    assert!(ended.unwrap().success());
}

/// The progress notifications until the tool list changed.
async fn progress(client: &mut Client) -> Vec<ProgressNotificationParam> {
    let mut told = Vec::new();
    loop {
        match client.next_news().await {
            News::Progress(progress) => told.push(progress),
            News::ToolsChanged => return told,
            News::Asked(_) => {}
        }
    }
}

/// The client adds a progress token to every request.
async fn tells_progress_of_loads_alone(mut client: Client, uri: &str) {
    client.load(uri).await;
    let told = progress(&mut client).await;
    let first = told.first().expect("progress of the load");
    assert_eq!(first.total, Some(4.0));
    assert!(first.message.is_some());

    // A tool call sends no progress, however it is called, and the server's messages stay in
    // order.
    let sum = json!({ "a": 1, "b": 2 });
    for (tool, arguments) in both_ways("add", sum) {
        let sum = client.call(tool, arguments).await;
        assert_eq!(sum.structured_content, Some(json!({ "result": 3 })));
    }
    let unload = json!({ "id": "calc" });
    client.call("unload-component", unload).await;
    let late = progress(&mut client).await;
    let of_load = |one: &ProgressNotificationParam| one.progress_token == first.progress_token;
    assert!(late.iter().all(of_load), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_reports_progress_to_who_asks() {
    let place = Place::new();
    let uri = place.component("calc.wat", CALC);
    tells_progress_of_loads_alone(place.stdio().await, &uri).await;
    let place = Place::new();
    let server = place.http(&[]).await;
    tells_progress_of_loads_alone(server.client(ProtocolVersion::V_2025_11_25).await, &uri).await;
}

/// The call of a tool by its own name, and through `call-tool`.
fn both_ways(tool: &str, arguments: Value) -> [(&str, Value); 2] {
    let by_way = json!({ "name": tool, "arguments": arguments });
    [(tool, arguments), ("call-tool", by_way)]
}

async fn cancels(client: Client, uri: &str) {
    client.load(uri).await;
    for (tool, arguments) in both_ways("spin", json!({})) {
        let call = ClientRequest::CallToolRequest(CallToolRequest::new(params(tool, arguments)));
        let options = PeerRequestOptions::no_options();
        #[cfg(target_os = "linux")]
        let before = client.cpu_time();
        let request = client
            .service
            .send_cancellable_request(call, options)
            .await
            .unwrap();
        #[cfg(target_os = "linux")]
        processor::until_running(before, || client.cpu_time()).await;
        request
            .cancel(Some("no longer needed".into()))
            .await
            .unwrap();

        let sum = client.call("add", json!({ "a": 1, "b": 1 })).await;
        assert_eq!(sum.structured_content, Some(json!({ "result": 2 })));

        // The guest no longer runs.
        #[cfg(target_os = "linux")]
        processor::until_idle(|| client.cpu_time());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_stops_and_gets_no_answer() {
    let place = Place::new();
    let uri = place.component("calc.wat", CALC);
    cancels(place.stdio().await, &uri).await;
    let place = Place::new();
    let server = place.http(&[]).await;
    cancels(server.client(ProtocolVersion::V_2025_11_25).await, &uri).await;
}

#[tokio::test]
async fn the_server_ends_with_its_input_and_answers_first() {
    let place = Place::new();
    let (mut child, (output, mut input)) = place.piped(&[]);
    let messages = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
    ];
    for message in messages {
        input
            .write_all(format!("{message}\n").as_bytes())
            .await
            .unwrap();
    }
    drop(input);
    let mut lines = BufReader::new(output).lines();
    let mut ids = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let message: serde_json::Value = serde_json::from_str(&line).unwrap();
        ids.push(message["id"].clone());
    }
    assert_eq!(ids, [json!(1), json!(2)]);
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    assert!(status.expect("the server did not end").unwrap().success());
}

#[tokio::test]
async fn a_running_call_does_not_keep_the_server_alive() {
    let place = Place::new();
    let (mut server, pipes) = place.piped(&["--call-timeout", "3600"]);
    let (ear, _news) = Ear::new(ProtocolVersion::LATEST_WITH_INITIALIZE);
    let mut client = within("a session", ear.serve(pipes)).await.unwrap();
    let uri = place.component("calc.wat", CALC);
    let load = params("load-component", json!({ "uri": uri }));
    within("a load", client.call_tool(load)).await.unwrap();
    let call = ClientRequest::CallToolRequest(CallToolRequest::new(params("spin", json!({}))));
    let options = PeerRequestOptions::no_options();
    #[cfg(target_os = "linux")]
    let (pid, before) = {
        let pid = server.id().expect("a running server");
        (pid, processor::of_process(pid))
    };
    let request = client
        .send_cancellable_request(call, options)
        .await
        .unwrap();
    #[cfg(target_os = "linux")]
    processor::until_running(before, || processor::of_process(pid)).await;
    client.close().await.unwrap();
    let unanswered = request.await_response().await;
    assert!(
        matches!(unanswered, Err(ServiceError::TransportClosed)),
        "{unanswered:?}"
    );
    let ended = within("the end of the server", server.wait()).await;
    assert!(ended.unwrap().success());
}
