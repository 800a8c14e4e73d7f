//! A server offers only the tools that rules allow, under no other name, to all clients.

use rmcp::model::ProtocolVersion;
use serde_json::{Value, json};

use super::tools::WEATHER;
use super::{Fleet, refused};
use crate::support::mcp::{Client, Place};
use crate::support::wait::within;

const RULES: &str = "{deny: [reset], rename: {get-weather: weather}, \
                     fixed: {get-weather: {units: metric}}}";

fn manifest(rules: &str) -> String {
    format!("components: [{{uri: 'oci://R/weather:v1', permissions: {{}}, tools: {rules}}}]\n")
}

/// The tools that are not the server's own.
async fn offered(client: &Client) -> Vec<String> {
    let mut names = client.tool_names().await;
    names.retain(|name| name != "reset-permission");
    names.retain(|name| {
        ["weather", "forecast", "reset"]
            .iter()
            .any(|one| name.contains(one))
    });
    names
}

async fn until_offered(client: &Client, names: &[&str]) {
    within("the tools are offered", async {
        while offered(client).await != names {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The answer to a call, even if there is no such tool.
async fn called(client: &Client, tool: &str, arguments: Value) -> String {
    let params = crate::support::mcp::params(tool, arguments);
    match client.service.call_tool(params).await {
        Ok(result) => format!("{result:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_tool_is_reached_by_no_name() {
    let fleet = Fleet::new();
    fleet.push("weather", "v1", WEATHER).await;
    let file = fleet.manifest(&manifest(RULES));
    let place = Place::new();
    let args = ["--manifest", file.to_str().unwrap(), "--watch"];
    let server = place.http(&args).await;
    let client = server.client(ProtocolVersion::LATEST_WITH_INITIALIZE).await;
    assert_eq!(offered(&client).await, ["forecast", "weather"]);
    let tools = client.service.list_all_tools().await.unwrap();
    let tool = tools.iter().find(|tool| tool.name == "weather").unwrap();
    assert!(
        !tool.input_schema["properties"]
            .as_object()
            .unwrap()
            .contains_key("units")
    );
    let found = called(&client, "weather", json!({ "city": "Oslo" })).await;
    assert!(found.contains("metric"), "{found}");
    // Arguments that the operator has fixed stay so, however they are given.
    for through in ["weather", "mcp__wassette__weather"] {
        let arguments = json!({ "city": "Oslo", "units": "imperial" });
        let found = called(&client, through, arguments.clone()).await;
        assert!(!found.contains("imperial"), "{found}");
        let arguments = json!({ "name": through, "arguments": arguments });
        let found = called(&client, "call-tool", arguments).await;
        assert!(!found.contains("imperial"), "{found}");
    }
    let listed = called(&client, "list-components", json!({})).await;
    let searched = called(&client, "search-components", json!({ "query": "reset" })).await;
    for told in [&listed, &searched] {
        assert!(
            !told.contains("reset\"") && !told.contains("get-weather\""),
            "{told}"
        );
    }
    for name in [
        "reset",
        "weather_reset",
        "get-weather",
        "weather_get-weather",
        "Reset",
    ] {
        for spelled in [name.to_owned(), format!("mcp__wassette__{name}")] {
            let arguments = json!({ "city": "Oslo" });
            let found = called(&client, &spelled, arguments.clone()).await;
            assert!(found.contains("There is no tool"), "{spelled}: {found}");
            let arguments = json!({ "name": spelled, "arguments": arguments });
            let found = called(&client, "call-tool", arguments).await;
            assert!(found.contains("unknown-tool"), "{spelled}: {found}");
        }
    }

    // The manifest changes: the previous name no longer works.
    fleet.manifest(&manifest("{rename: {get-weather: sky-weather}}"));
    fleet.json(&["lock", "-f", "fleet.yaml"]);
    until_offered(&client, &["forecast", "reset", "sky-weather"]).await;
    let found = called(&client, "weather", json!({ "city": "Oslo", "units": "x" })).await;
    assert!(found.contains("There is no tool"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_follows_rules_that_another_process_applies() {
    let place = Place::new();
    place.component("weather.wat", WEATHER);
    let server = place.http(&[]).await;
    let client = server.client(ProtocolVersion::LATEST_WITH_INITIALIZE).await;
    let apply = async |rules: &str| {
        let manifest = format!("components: [{{uri: ./weather.wat, tools: {rules}}}]\n");
        std::fs::write(place.path("fleet.yaml"), manifest).unwrap();
        _ = std::fs::remove_file(place.path("wassette.lock"));
        let file = place.path("fleet.yaml");
        let mut command = place.wassette(&["apply", "-f", file.to_str().unwrap()]);
        assert!(command.output().await.unwrap().status.success());
    };
    apply("{deny: [reset]}").await;
    until_offered(&client, &["forecast", "get-weather"]).await;
    apply("{allow: [forecast], rename: {forecast: weather-to-come}}").await;
    until_offered(&client, &["weather-to-come"]).await;
    apply("{}").await;
    until_offered(&client, &["forecast", "get-weather", "reset"]).await;
}

#[test]
fn a_name_that_a_rule_takes_is_given_to_no_other_component() {
    let cli = crate::support::cli::Cli::new();
    cli.file("a.wat", WEATHER);
    cli.file("b.wat", WEATHER.replace("\"reset\"", "\"clear\""));
    cli.file(
        "fleet.yaml",
        "components:\n- {uri: ./a.wat, tools: {allow: [reset], rename: {reset: clear}}}\n- {uri: \
         ./b.wat, tools: {allow: [clear]}}\n",
    );
    cli.json(["apply", "-f", "fleet.yaml"]);
    let names = |cli: &crate::support::cli::Cli| {
        let tools = cli.json(["tools"])["tools"].clone();
        let tools = tools.as_array().unwrap().iter();
        let named = tools.map(|tool| (tool["name"].to_string(), tool["component_id"].to_string()));
        named.collect::<Vec<_>>()
    };
    let pair = |name: &str, id: &str| (format!("\"{name}\""), format!("\"{id}\""));
    assert_eq!(names(&cli), [pair("b_clear", "b"), pair("clear", "a")]);
    // The other component cannot get the name either while it is reserved.
    cli.json(["unload", "a"]);
    let other = "components: [{uri: ./b.wat, tools: {rename: {clear: clear}}}]\n";
    cli.file("other.yaml", other);
    let lock = cli.file_path("other.lock");
    let apply = [
        "apply",
        "-f",
        "other.yaml",
        "--lock",
        lock.to_str().unwrap(),
    ];
    let error = refused(&cli, &apply);
    assert!(
        error.to_string().contains("reserved for 30 days"),
        "{error}"
    );
}
