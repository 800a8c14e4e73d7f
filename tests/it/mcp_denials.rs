//! Each kind of denial as the agent sees it, and the grant it is offered: sent
//! as it is, that one allows just what was denied.

use std::fs;

use serde_json::{Value, json};

use crate::support::components_files::OPENS;
use crate::support::mcp::{Client, Place, text_of};
use crate::support::network_guest::{COMPONENT, message, socket};
use crate::support::web::Web;

/// A call that is denied something.
struct Tried<'a> {
    tool: &'a str,
    arguments: Value,
    kind: &'a str,
    what: &'a str,
    /// What follows `wassette permission grant`.
    command: &'a str,
}

/// Is denied, and told so; gives the grant that was offered.
async fn denied(client: &Client, tried: &Tried<'_>) -> Value {
    let result = client.call(tried.tool, tried.arguments.clone()).await;
    assert_eq!(result.is_error, Some(true), "{result:?}");
    let told = text_of(&result);
    let denied = told["denied"].as_array().expect("what was denied");
    assert_eq!(denied.len(), 1, "{told}");
    assert_eq!(denied[0]["kind"], tried.kind, "{told}");
    assert_eq!(denied[0]["what"], tried.what, "{told}");
    let grant = denied[0]["grant"].clone();
    let command = format!("wassette permission grant {}", tried.command);
    assert_eq!(grant["command"], command.as_str(), "{told}");
    let hint = told["hint"].as_str().expect("a hint");
    for part in [&*command, grant["tool"].as_str().unwrap()] {
        assert!(hint.contains(part), "{part}: {hint}");
    }
    grant
}

async fn granted(client: &Client, grant: &Value) {
    let tool = grant["tool"].as_str().unwrap();
    let result = client.call(tool, grant["arguments"].clone()).await;
    assert_ne!(result.is_error, Some(true), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_network() {
    let web = Web::start().await;
    let place = Place::new();
    fs::write(place.path("net.wasm"), COMPONENT).unwrap();
    let client = place.stdio().await;
    let uri = format!("file://{}", place.path("net.wasm").display());
    client.load(&uri).await;

    let port = web.port;
    let url = format!("http://localhost:{port}/a");
    let request = Tried {
        tool: "request",
        arguments: json!({ "message": message(&format!("{url}?q=private")) }),
        kind: "request",
        what: &url,
        command: &format!("network net localhost:{port}"),
    };
    let tcp = Tried {
        tool: "tcp",
        arguments: json!({
            "remote": socket([127, 0, 0, 1], port),
            "text": "GET / HTTP/1.1\r\n\r\n",
        }),
        kind: "socket",
        what: &format!("TCP to 127.0.0.1:{port}"),
        command: &format!("network net 127.0.0.1:{port}"),
    };
    let metadata = Tried {
        tool: "request",
        arguments: json!({ "message": message("http://169.254.169.254/latest/meta-data/") }),
        kind: "request",
        what: "http://169.254.169.254/latest/meta-data/",
        command: "network net 169.254.169.254",
    };
    let lookup = Tried {
        tool: "look-up",
        arguments: json!({ "name": "payload.attacker.example" }),
        kind: "lookup",
        what: "payload.attacker.example",
        command: "network net payload.attacker.example",
    };
    denied(&client, &metadata).await;
    denied(&client, &lookup).await;
    // Which address it would be is nobody's question while nothing is granted.
    let unnamed = client.call("tcp", tcp.arguments.clone()).await;
    let told = text_of(&unnamed);
    assert_eq!(told["denied"][0]["kind"], "socket", "{told}");
    assert_eq!(told["denied"][0]["what"], "TCP", "{told}");
    for tried in [request, tcp] {
        let grant = denied(&client, &tried).await;
        assert_eq!(web.connections(), usize::from(tried.tool == "tcp"));
        granted(&client, &grant).await;
        let result = client.call(tried.tool, tried.arguments).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
    }
    assert_eq!(web.connections(), 2);
    let udp = Tried {
        tool: "udp",
        arguments: json!({ "remote": socket([127, 0, 0, 2], port), "text": "hello" }),
        kind: "socket",
        what: &format!("UDP to 127.0.0.2:{port}"),
        command: &format!("network net 127.0.0.2:{port}"),
    };
    denied(&client, &udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_files() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("opens.wat", OPENS)).await;
    let root = place.path("").canonicalize().unwrap();
    fs::create_dir(root.join("in")).unwrap();
    fs::write(root.join("in/file"), "public").unwrap();
    fs::write(root.join("secret"), "secret").unwrap();
    let grant = json!({
        "component_id": "opens",
        "details": { "uri": format!("fs://{}/in/**", root.display()), "access": ["read"] },
    });
    let tool = json!({ "tool": "grant-storage-permission", "arguments": grant });
    granted(&client, &tool).await;
    let opened = client.call("read", json!({ "path": "file" })).await;
    assert_ne!(opened.is_error, Some(true), "{opened:?}");

    for (tool, path, real) in [
        ("read", "in/../secret", "secret"),
        ("write", "in/file", "in/file"),
        ("write", "in/new", "in/new"),
    ] {
        let real = root.join(real).display().to_string();
        let path = format!("{}/{path}", root.display());
        let tried = Tried {
            tool,
            arguments: json!({ "path": &path }),
            kind: tool,
            what: &real,
            command: &format!("storage opens fs://{real} --access {tool}"),
        };
        let grant = denied(&client, &tried).await;
        granted(&client, &grant).await;
        let opened = client.call(tool, json!({ "path": &path })).await;
        assert_ne!(opened.is_error, Some(true), "{opened:?}");
    }
    assert!(root.join("in/new").exists());
}
