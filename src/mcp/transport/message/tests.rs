use serde_json::json;

use super::*;

fn read(bytes: &[u8]) -> Result<ClientJsonRpcMessage, Value> {
    let answer = |unreadable: Unreadable| serde_json::from_str(&unreadable.encode()).unwrap();
    match Incoming::read(bytes, None).map_err(answer)? {
        Incoming::One(envelope) => envelope.message().map_err(answer),
        Incoming::Batch(_) => unreachable!("no revision was negotiated"),
    }
}

fn parsed(message: Value) -> ClientRequest {
    match read(message.to_string().as_bytes()).unwrap() {
        ClientJsonRpcMessage::Request(request) => request.request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_is_read_as_rmcp_reads_it() {
    let text = json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {
        "name": "add", "arguments": { "a": 1, "b": [2, { "c": "é" }] },
        "_meta": { "progressToken": 7, "x": 1 }, "requestState": "s", "unknown": true } });
    let ours = read(text.to_string().as_bytes()).unwrap();
    let theirs: ClientJsonRpcMessage = serde_json::from_value(text).unwrap();
    assert_eq!(
        serde_json::to_value(ours).unwrap(),
        serde_json::to_value(theirs).unwrap()
    );
}

#[test]
fn absent_arguments_are_none() {
    for params in [
        json!({ "name": "x" }),
        json!({ "name": "x", "arguments": null }),
    ] {
        let request = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params
        });
        let ClientRequest::CallToolRequest(call) = parsed(request) else {
            panic!("not a call");
        };
        assert_eq!(call.params.arguments, None);
    }
}

#[test]
fn what_cannot_be_read_is_answered_with_its_id() {
    let head = r#"{"jsonrpc":"2.0","id":77,"method":"#;
    let large = "y".repeat(SMALL);
    for (text, id, code) in [
        (
            format!(
                r#"{head}"tools/call","params":{{"name":"x","arguments":{{"q":"a\ud83d"}}}}}}"#
            ),
            json!(77),
            -32602,
        ),
        (format!(r#"{head}"x\ud83d"}}"#), json!(77), -32700),
        (format!(r#"{head}"ping""#), Value::Null, -32700),
        (
            format!(r#"{head}"tools/call","params":{{}}}}"#),
            json!(77),
            -32602,
        ),
        (
            format!(r#"{head}"tools/call","params":{{"name":"x","arguments":[1]}}}}"#),
            json!(77),
            -32602,
        ),
        (
            format!(r#"{head}"ping","params":{{"x":"{large}"}}}}"#),
            json!(77),
            -32600,
        ),
        (
            format!(r#"{head}"tools/call","params":{{"name":"x","_meta":{{"x":"{large}"}}}}}}"#),
            json!(77),
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","id":77}"#.into(), json!(77), -32600),
        (r#"{"id":1.5,"method":"ping"}"#.into(), Value::Null, -32600),
        ("[]".into(), Value::Null, -32600),
        ("7".into(), Value::Null, -32600),
        (String::new(), Value::Null, -32700),
    ] {
        let answer = read(text.as_bytes()).unwrap_err();
        let found = (&answer["id"], answer["error"]["code"].as_i64());
        assert_eq!(found, (&id, Some(code)), "{text:.90}: {answer}");
    }
    let not_utf8 = read(b"{\"id\":77,\"method\":\"ping\",\"params\":{\"x\":\"\xff\"}}");
    let answer = not_utf8.unwrap_err();
    assert_eq!(answer["id"], 77);
    assert_eq!(answer["error"]["code"], -32700);
}

#[test]
fn of_a_client_only_what_is_used_is_kept() {
    let long = "n".repeat(1000);
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "_meta": { "x": 1 },
        "capabilities": { "elicitation": {}, "experimental": { "x": {} }, "sampling": {} },
        "clientInfo": { "name": long, "version": long, "title": long } } });
    let ClientRequest::InitializeRequest(initialize) = parsed(initialize) else {
        panic!("not an initialize");
    };
    let kept = serde_json::to_value(initialize.params).unwrap();
    let short = "n".repeat(SHORT);
    assert_eq!(kept["capabilities"], json!({ "elicitation": {} }));
    assert_eq!(
        kept["clientInfo"],
        json!({ "name": short, "version": short })
    );
}

#[test]
fn batches_exist_in_one_revision() {
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let batch = json!([ping, { "id": 2 }, 3]).to_string();
    let revision = Some(&ProtocolVersion::V_2025_03_26);
    let Ok(Incoming::Batch(parts)) = Incoming::read(batch.as_bytes(), revision) else {
        panic!("not a batch");
    };
    let read: Vec<bool> = parts
        .into_iter()
        .map(|part| part.and_then(Envelope::message).is_ok())
        .collect();
    assert_eq!(read, [true, false, false]);
    let revision = Some(&ProtocolVersion::V_2025_06_18);
    assert!(Incoming::read(batch.as_bytes(), revision).is_err());
    let many = json!(vec![ping; BATCH + 1]).to_string();
    let revision = Some(&ProtocolVersion::V_2025_03_26);
    assert!(Incoming::read(many.as_bytes(), revision).is_err());
}
