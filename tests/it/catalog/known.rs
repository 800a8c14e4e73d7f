use serde_json::json;

use crate::support::cli::Cli;
use crate::support::mcp::{Place, text_of};

#[test]
fn the_best_matches_come_first_and_slips_are_forgiven() {
    let cli = Cli::new();
    let found = |args: &[&str]| -> Vec<String> {
        let found = cli.json([&["registry", "search"], args].concat());
        let found = found["components"].as_array().unwrap().iter();
        found
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(found(&["wether", "open"])[0], "get-open-meteo-weather-js");
    assert_eq!(found(&["--exact", "wether"]), [""; 0]);
    // By the plain rule, in the order of the catalog, whichever field matches.
    let plain = found(&["--exact", "weather"]);
    let ranked = found(&["weather"]);
    assert_eq!(plain.len(), ranked.len());
    let got = cli.json(["registry", "get", "GitHub-JS"]);
    assert_eq!(got["components"][0]["name"], "github-js");
    assert_eq!(got["components"].as_array().unwrap().len(), 1);
    let error = cli.run(["registry", "get", "gihtub-js"]);
    assert_eq!(error.code, 3);
    assert!(error.stderr.contains("github-js"), "{}", error.stderr);
}

#[tokio::test]
async fn agents_get_the_same_ranking_and_what_is_installed() {
    let place = Place::new();
    let client = place.stdio().await;
    let found = client
        .call("search-components", json!({ "query": "wether open" }))
        .await;
    let found = found.structured_content.unwrap();
    let by_command = place
        .wassette(&["registry", "search", "wether", "open", "-o", "json"])
        .output()
        .await
        .unwrap();
    let by_command: serde_json::Value = serde_json::from_slice(&by_command.stdout).unwrap();
    assert_eq!(found, by_command);
    let first = &found["components"][0];
    assert_eq!(first["name"], "get-open-meteo-weather-js");
    assert_eq!(first["installed"], json!([]));

    // A catalog name is resolved to its URI, which cannot be reached here.
    let offline = place.stdio_with(&["--offline"]).await;
    let failed = offline
        .call("load-component", json!({ "uri": "time-server-js" }))
        .await;
    let failed = text_of(&failed);
    assert_eq!(failed["code"], "offline", "{failed}");
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.contains("ghcr.io/microsoft/time-server-js"),
        "{message}"
    );
    let unknown = offline
        .call("load-component", json!({ "uri": "time-servr-js" }))
        .await;
    let unknown = text_of(&unknown);
    assert_eq!(unknown["code"], "unknown-catalog-name", "{unknown}");
    assert!(unknown["hint"].as_str().unwrap().contains("time-server-js"));
}

/// A catalog entry shows the id under which it is installed, although its bytes come from another
/// place here.
#[test]
fn what_is_installed_is_marked() {
    let cli = Cli::new();
    let file = cli.file("calc.wat", crate::support::mcp::CALC);
    cli.load(&file);
    let metadata = cli.root().join("components/calc/calc.metadata.json");
    let text = std::fs::read_to_string(&metadata).unwrap();
    let mut stored: serde_json::Value = serde_json::from_str(&text).unwrap();
    stored["source"] = json!("oci://ghcr.io/microsoft/memory-js:v7");
    // As a version without checksums wrote it.
    stored["format"] = json!(1);
    stored.as_object_mut().unwrap().remove("checksum");
    std::fs::write(&metadata, stored.to_string()).unwrap();
    let found = cli.json(["registry", "get", "memory-js"]);
    assert_eq!(found["components"][0]["installed"], json!(["calc"]));
    let shown = cli.run(["registry", "search", "memory"]).stdout;
    assert!(shown.contains("calc"), "{shown}");
}
