//! Tools over stdio: listing, calling, and errors.

use rmcp::ServiceError;
use rmcp::model::{ErrorCode, PaginatedRequestParams};
use serde_json::{Value, json};

use crate::support::mcp::{CALC, Place, params, text_of};

const BUILTIN: [&str; 13] = [
    "call-tool",
    "get-policy",
    "grant-environment-variable-permission",
    "grant-network-permission",
    "grant-storage-permission",
    "list-components",
    "load-component",
    "reset-permission",
    "revoke-environment-variable-permission",
    "revoke-network-permission",
    "revoke-storage-permission",
    "search-components",
    "unload-component",
];

#[tokio::test]
async fn a_component_is_loaded_listed_called_and_unloaded() {
    let place = Place::new();
    let client = place.stdio().await;
    assert_eq!(client.tool_names().await, BUILTIN);

    let loaded = client.load(&place.component("calc.wat", CALC)).await;
    assert_eq!(loaded["component_id"], "calc");
    assert_eq!(loaded["status"], "new");
    assert_eq!(loaded["tool_names"], json!(["add", "spin"]));

    let names = client.tool_names().await;
    assert_eq!(names[BUILTIN.len()..], ["add", "spin"]);
    let sum = client.call("add", json!({ "a": 2, "b": 40 })).await;
    assert_eq!(sum.structured_content, Some(json!({ "result": 42 })));
    assert_eq!(text_of(&sum), json!({ "result": 42 }));

    let listed = client.call("list-components", json!({})).await;
    let listed = listed.structured_content.unwrap();
    assert_eq!(listed["components"][0]["id"], "calc");
    let unloaded = client
        .call("unload-component", json!({ "id": "calc" }))
        .await;
    assert_eq!(unloaded.structured_content.unwrap()["component_id"], "calc");
    assert_eq!(client.tool_names().await, BUILTIN);
}

#[tokio::test]
async fn results_match_the_declared_output_schemas() {
    let place = Place::new();
    let client = place.stdio().await;
    let uri = place.component("calc.wat", CALC);
    let calls = [
        ("load-component", json!({ "path": uri })),
        ("add", json!({ "a": 1, "b": 2 })),
        ("list-components", json!({})),
        ("search-components", json!({ "query": "" })),
        ("unload-component", json!({ "id": "calc" })),
    ];
    for (tool, arguments) in calls {
        let tools = client.service.list_all_tools().await.unwrap();
        let offered = tools.iter().find(|offered| offered.name == tool).unwrap();
        let input = Value::Object((*offered.input_schema).clone());
        assert!(jsonschema::is_valid(&input, &arguments), "{tool}");
        let schema = offered.output_schema.as_deref().unwrap().clone();
        let result = client.call(tool, arguments).await;
        let content = result.structured_content.expect(tool);
        if let Err(fault) = jsonschema::validate(&Value::Object(schema), &content) {
            panic!("{tool}: {fault} in {content}");
        }
    }
}

#[tokio::test]
async fn built_in_tools_say_what_they_do() {
    let client = Place::new().stdio().await;
    let tools = client.service.list_all_tools().await.unwrap();
    let hints = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        assert!(tool.title.is_some());
        tool.annotations.clone().unwrap()
    };
    assert_eq!(hints("list-components").read_only_hint, Some(true));
    assert_eq!(hints("search-components").read_only_hint, Some(true));
    assert_eq!(hints("load-component").destructive_hint, Some(false));
    assert_eq!(hints("load-component").open_world_hint, Some(true));
    assert_eq!(hints("unload-component").destructive_hint, Some(true));
}

#[tokio::test]
async fn bad_arguments_are_results_the_agent_can_read() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    let cases = [
        ("load-component", json!({}), "invalid-arguments"),
        ("load-component", json!({ "uri": 7 }), "invalid-arguments"),
        ("load-component", json!({ "url": "x" }), "invalid-arguments"),
        (
            "load-component",
            json!({ "uri": "a", "path": "b" }),
            "invalid-arguments",
        ),
        (
            "load-component",
            json!({ "uri": "./a", "name": "A!" }),
            "invalid-arguments",
        ),
        (
            "load-component",
            json!({ "uri": "./a", "digest": "md5:0" }),
            "invalid-arguments",
        ),
        (
            "load-component",
            json!({ "uri": "ftp://a/b" }),
            "invalid-reference",
        ),
        ("unload-component", json!({}), "invalid-arguments"),
        (
            "unload-component",
            json!({ "id": "calc", "force": true }),
            "invalid-arguments",
        ),
        ("add", json!({ "a": "two", "b": 1 }), "invalid-arguments"),
    ];
    for (tool, arguments, code) in cases {
        let result = client.call(tool, arguments.clone()).await;
        assert_eq!(result.is_error, Some(true), "{tool} {arguments}");
        assert_eq!(result.structured_content, None);
        let error = text_of(&result);
        assert_eq!(error["code"], code, "{tool} {arguments}: {error}");
        assert!(error["message"].is_string() && error["causes"].is_array());
    }
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_with_near_names() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    let error = client.service.call_tool(params("ad", json!({}))).await;
    let Err(ServiceError::McpError(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    assert!(error.message.contains("`ad`"), "{}", error.message);
    assert!(error.message.contains("`add`"), "{}", error.message);
}

#[tokio::test]
async fn hints_name_what_agents_can_call() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    let rule = json!({ "component_id": "calc", "details": { "host": "a.example" } });
    client.call("grant-network-permission", rule).await;
    let other = json!({ "component_id": "calc", "details": { "host": "b.example" } });
    for (tool, arguments, named) in [
        (
            "call-tool",
            json!({ "name": "telescope" }),
            "`list-components`",
        ),
        (
            "unload-component",
            json!({ "id": "absent" }),
            "`list-components`",
        ),
        (
            "get-policy",
            json!({ "component_id": "absent" }),
            "`list-components`",
        ),
        ("revoke-network-permission", other, "`get-policy`"),
        (
            "load-component",
            json!({ "uri": "telescope" }),
            "`search-components`",
        ),
    ] {
        let error = text_of(&client.call(tool, arguments).await);
        let hint = error["hint"].as_str().unwrap_or_default();
        assert!(hint.contains(named), "{tool}: {error}");
        assert!(!hint.contains("`wassette "), "{tool}: {error}");
    }
    let unknown = client
        .service
        .call_tool(params("telescope", json!({})))
        .await;
    let Err(ServiceError::McpError(error)) = unknown else {
        panic!("{unknown:?}");
    };
    assert!(
        error.message.contains("`list-components`"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("many.wat", &many(300))).await;

    let first = client.service.list_tools(None).await.unwrap();
    assert_eq!(first.tools.len(), 256);
    let cursor = first.next_cursor.clone();
    assert!(cursor.is_some());
    let request = PaginatedRequestParams::default().with_cursor(cursor);
    let second = client.service.list_tools(Some(request)).await.unwrap();
    assert_eq!(second.next_cursor, None);
    let all: Vec<_> = first.tools.iter().chain(&second.tools).collect();
    let names: Vec<_> = all.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names.len(), BUILTIN.len() + 300);
    assert_eq!(names[..BUILTIN.len()], BUILTIN);
    assert!(names[BUILTIN.len()..].is_sorted());

    let foreign = PaginatedRequestParams::default().with_cursor(Some("page 2".into()));
    let error = client.service.list_tools(Some(foreign)).await;
    let Err(ServiceError::McpError(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
}

/// A component with so many exports.
fn many(count: usize) -> String {
    let exports: String = (0..count)
        .map(|n| format!("(func (export \"f{n:03}\") (canon lift (core func $i \"f\")))\n"))
        .collect();
    format!(
        "(component
           (core module $m (func (export \"f\")))
           (core instance $i (instantiate $m))
           {exports})"
    )
}
