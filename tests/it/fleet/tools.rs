//! A manifest's rules for tools: planned, applied, locked and exported.

use std::fs;

use serde_json::{Value, json};

use super::{Fleet, actions, pairs, state};
use crate::support::cli::Cli;
use crate::support::wat::memory;

/// Three tools: `get-weather` answers with its `units`, `forecast` with its
/// `days`, `reset` with nothing.
pub(super) const WEATHER: &str = concat!(
    "(component",
    memory!(),
    r#"
  (core module $m
    (import "memory" "memory" (memory 1))
    (func (export "get-weather") (param i32 i32 i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 2))
      (i32.store (i32.const 4) (local.get 3))
      (i32.const 0))
    (func (export "forecast") (param i32) (result i32) (local.get 0))
    (func (export "reset")))
  (core instance $i (instantiate $m (with "memory" (instance $memory))))
  (func (export "get-weather") (param "city" string) (param "units" string) (result string)
    (canon lift (core func $i "get-weather") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
  (func (export "forecast") (param "days" u32) (result u32)
    (canon lift (core func $i "forecast")))
  (func (export "reset") (canon lift (core func $i "reset"))))"#
);

/// The rules of the documents.
const RULES: &str = "{allow: [get-weather], rename: {get-weather: weather}, \
                     describe: {get-weather: \"…\"}, defaults: {get-weather: {units: metric}}}";

fn manifest(rules: &str) -> String {
    format!(
        "components:\n- uri: oci://R/get-weather-js:latest\n  name: weather-service\n  permissions: {{}}\n  tools: {rules}\n"
    )
}

async fn weather() -> Fleet {
    let fleet = Fleet::new();
    fleet.push("get-weather-js", "latest", WEATHER).await;
    fleet
}

fn names(cli: &Cli) -> Vec<String> {
    let tools = cli.json(["tools"]);
    let tools = tools["tools"].as_array().unwrap().iter();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

fn called(cli: &Cli, tool: &str, arguments: Value) -> Value {
    cli.json(["call", tool, "--args", &arguments.to_string()])["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_applied_with_the_component_and_once() {
    let fleet = weather().await;
    fleet.manifest(&manifest(RULES));
    let plan = fleet
        .run(&["apply", "-f", "fleet.yaml", "--dry-run"])
        .stdout;
    for line in [
        "  tools weather\n",
        "  ~ tool get-weather is called weather\n",
        "  ~ tool get-weather is described as: …\n",
        "  ~ tool get-weather gets units = \"metric\" unless a call says otherwise\n",
        "  - tool forecast is hidden\n",
        "  - tool reset is hidden\n",
    ] {
        assert!(plan.contains(line), "{line}\n{plan}");
    }
    let told = fleet.apply(&[]);
    assert_eq!(told["components"][0]["tools"], json!(["weather"]));
    assert_eq!(fleet.apply(&["--locked"])["status"], "unchanged");

    let cli = &fleet.cli;
    assert_eq!(names(cli), ["weather"]);
    let listed = cli.json(["list"]);
    assert_eq!(listed["components"][0]["tool_names"], json!(["weather"]));
    let tool = cli.json(["tools", "weather"]);
    assert_eq!(tool["description"], "…");
    assert_eq!(tool["input_schema"]["required"], json!(["city"]));
    let units = &tool["input_schema"]["properties"]["units"];
    assert_eq!(units["default"], "metric");
    assert_eq!(called(cli, "weather", json!({ "city": "Oslo" })), "metric");
    let given = json!({ "city": "Oslo", "units": "imperial" });
    assert_eq!(called(cli, "weather", given), "imperial");
    let words = cli.json(["call", "weather", "--city", "Oslo"]);
    assert_eq!(words["result"], "metric");
    for hidden in ["get-weather", "forecast", "reset", "weather-service_reset"] {
        let ended = cli.run(["call", hidden, "--args", "{}", "-o", "json"]);
        let error: Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!(error["code"], "unknown-tool", "{hidden}");
    }
    // `inspect` shows the names that rules use.
    let inspected = cli.run(["inspect", "weather-service"]).stdout;
    for shown in [
        "get-weather (offered as weather): ",
        "forecast (hidden by a rule): ",
    ] {
        assert!(inspected.contains(shown), "{shown}\n{inspected}");
    }
    assert!(cli.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_are_a_change_of_their_own_and_held_by_the_lock() {
    let fleet = weather().await;
    fleet.manifest(&manifest(RULES));
    fleet.apply(&[]);
    let lock = fleet.lock();
    assert!(
        lock.contains("weather = \"sha256:") && !lock.contains("forecast"),
        "{lock}"
    );
    fleet.manifest(&manifest("{deny: [reset], fixed: {forecast: {days: 3}}}"));
    assert_eq!(fleet.refused(&[])["code"], "lock-stale");
    let Fleet { cli, registry } = fleet;
    // The installed components are enough to compute the effect of the rules.
    drop(registry);
    let told = cli.json(["lock", "-f", "fleet.yaml"]);
    assert_eq!(told["components"][0]["status"], "renewed");
    let told = cli.json(["apply", "-f", "fleet.yaml", "--locked"]);
    assert_eq!(
        actions(&told),
        pairs(&[("weather-service", "change-tools")])
    );
    let changes = told["components"][0]["tool_rules"].as_array().unwrap();
    let of = |tool: &str, effect: &str| {
        let is = |one: &&Value| one["tool"] == tool && one["effect"] == effect;
        changes
            .iter()
            .find(is)
            .unwrap_or_else(|| panic!("{changes:?}"))
    };
    assert_eq!(of("get-weather", "renamed")["name"], Value::Null);
    assert_eq!(of("forecast", "fixed")["argument"], "days");
    of("forecast", "offered");
    assert_eq!(names(&cli), ["forecast", "get-weather"]);
    assert_eq!(called(&cli, "forecast", json!({})), 3);
    let ended = cli.run(["call", "forecast", "--args", r#"{"days": 4}"#, "-o", "json"]);
    let error: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["code"], "invalid-arguments", "{error}");
    let again = cli.json(["apply", "-f", "fleet.yaml", "--locked"]);
    assert_eq!(again["status"], "unchanged");
    // Without the key there are no rules.
    let text = fs::read_to_string(cli.file_path("fleet.yaml")).unwrap();
    let (without, _) = text.split_once("  tools:").unwrap();
    cli.file("fleet.yaml", without);
    cli.json(["lock", "-f", "fleet.yaml"]);
    cli.json(["apply", "-f", "fleet.yaml", "--locked"]);
    assert_eq!(names(&cli), ["forecast", "get-weather", "reset"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_stay_with_the_component_through_versions_and_grants() {
    let fleet = weather().await;
    fleet.manifest(&manifest(RULES));
    fleet.apply(&[]);
    let cli = &fleet.cli;
    let other = WEATHER.replace("(func (export \"reset\"))", "(func (export \"reset\") nop)");
    fleet.push("get-weather-js", "latest", &other).await;
    cli.json(["update", "weather-service", "--accept"]);
    assert_eq!(names(cli), ["weather"]);
    cli.json([
        "permission",
        "grant",
        "environment-variable",
        "weather-service",
        "A",
    ]);
    assert_eq!(names(cli), ["weather"]);
    cli.json(["rollback", "weather-service"]);
    assert_eq!(names(cli), ["weather"]);
    let source = fleet.registry.reference("get-weather-js:latest");
    cli.json(["load", &source, "--name", "weather-service"]);
    assert_eq!(names(cli), ["weather"]);

    let exported = state(cli);
    let elsewhere = Cli::new();
    elsewhere.file("fleet.yaml", &exported);
    elsewhere.json(["apply", "-f", "fleet.yaml"]);
    assert_eq!(state(&elsewhere), exported);
    assert_eq!(names(&elsewhere), ["weather"]);

    // If the rules cannot be read, no tool is offered.
    let file = cli
        .root()
        .join("components/weather-service/weather-service.tools.json");
    fs::write(&file, "{").unwrap();
    assert_eq!(names(cli), [""; 0]);
    let ended = cli.run(["export", "-o", "json"]);
    assert!(
        ended.stderr.contains("tool-rules-damaged"),
        "{}",
        ended.stderr
    );
    fleet.apply(&[]);
    assert_eq!(names(cli), ["weather"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_cannot_be_carried_out_change_nothing() {
    let fleet = weather().await;
    fleet.push("other", "v1", WEATHER).await;
    fleet.json(&["load", &fleet.registry.reference("other:v1")]);
    let before = state(&fleet.cli);
    for (rules, told) in [
        ("{deny: [get-wether]}", "did you mean `get-weather`?"),
        ("{rename: {get-wether: w}}", "did you mean `get-weather`?"),
        (
            "{fixed: {get-weather: {unit: metric}}}",
            "did you mean `units`?",
        ),
        (
            "{defaults: {forecast: {days: soon}}}",
            "not of the type integer",
        ),
        (
            "{defaults: {forecast: {days: -1}}}",
            "too small or too large",
        ),
        (
            "{rename: {reset: load-component}}",
            "one of the server's own tools",
        ),
        (
            "{rename: {reset: forecast}}",
            "taken by the tool `forecast`",
        ),
        (
            "{rename: {get-weather: reset}, deny: [reset]}",
            "the tool `reset` of `other`",
        ),
        (
            "{rename: {reset: a_name_of_fifty_characters_which_is_more_than_48_a}}",
            "1 to 48",
        ),
    ] {
        fleet.manifest(&manifest(rules));
        for options in [&["--dry-run"][..], &[]] {
            let error = fleet.refused(options);
            assert_eq!(error["code"], "invalid-tool-rules", "{rules}: {error}");
            assert!(error.to_string().contains(told), "{rules}: {error}");
        }
    }
    assert_eq!(state(&fleet.cli), before);
    // The same if another entry of the same manifest conflicts.
    let two = format!(
        "{}- {{uri: 'oci://R/get-weather-js:latest', name: b, tools: {{rename: {{reset: w}}}}}}\n",
        manifest("{rename: {forecast: w}}")
    );
    fleet.manifest(&two);
    let error = fleet.refused(&[]);
    assert!(
        error
            .to_string()
            .contains("the tool `forecast` of `weather-service`"),
        "{error}"
    );
    assert_eq!(state(&fleet.cli), before);
    let told = fleet.run(&[
        "apply",
        "-f",
        "fleet.yaml",
        "--continue-on-error",
        "-o",
        "json",
    ]);
    assert_eq!(told.code, 1, "{}", told.stderr);
    assert!(names(&fleet.cli).contains(&"w".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_hide_everything_are_carried_out_with_a_note() {
    let fleet = weather().await;
    fleet.manifest(&manifest("{allow: []}"));
    let told = fleet.apply(&[]);
    let note = told["components"][0]["note"].as_str().unwrap();
    assert!(note.contains("leave none that is offered"), "{note}");
    assert_eq!(names(&fleet.cli), [""; 0]);
    assert_eq!(fleet.apply(&[])["status"], "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_configuration_hold_besides_those_of_the_manifest() {
    let fleet = weather().await;
    fleet.manifest(&manifest("{deny: [reset], rename: {forecast: days}}"));
    fleet.apply(&[]);
    let cli = &fleet.cli;
    let configure = |text: &str| fs::write(cli.root().join("config.toml"), text).unwrap();
    configure(
        "[tools.\"weather-service\"]\nallow = [\"forecast\", \"reset\"]\n\
         fixed = { forecast = { days = 7 } }\n",
    );
    assert_eq!(names(cli), ["days"]);
    assert_eq!(called(cli, "days", json!({})), 7);
    // They belong to this machine: neither the plan nor an export contains them.
    assert_eq!(fleet.apply(&["--locked"])["status"], "unchanged");
    assert!(!state(cli).contains("fixed"));
    configure("[tools.\"weather-service\"]\nrename = { forecast = \"next\" }\n");
    assert_eq!(names(cli), ["get-weather", "next"]);
    // A rule that cannot be applied hides the tool and is reported.
    for (rules, told) in [
        ("rename = { forecast = \"load-component\" }", "taken by"),
        (
            "fixed = { forecast = { days = \"x\" } }",
            "not of the type integer",
        ),
        (
            "deny = [\"get-weather\"]\nrename = { forecast = \"a b\" }",
            "cannot be called `a b`",
        ),
    ] {
        configure(&format!("[tools.\"weather-service\"]\n{rules}\n"));
        let ended = cli.run(["call", "days", "--args", r#"{"days": 1}"#]);
        assert_ne!(ended.code, 0, "{rules}");
        assert!(ended.stderr.contains(told), "{rules}: {}", ended.stderr);
    }
    configure("[tools.\"weather-service\"]\ndney = []\n");
    assert!(cli.failure(["tools"]).contains("unknown field `dney`"));
}
