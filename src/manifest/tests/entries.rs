use serde_json::json;

use super::*;
use crate::policy::Permission;

#[test]
fn entries_are_read_with_their_permissions() {
    let manifest = loaded(SEED);
    let ids: Vec<_> = manifest.entries.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["weather-service", "github-api"]);
    let first = &manifest.entries[0];
    assert_eq!(
        first.reference.to_string(),
        "oci://ghcr.io/microsoft/get-weather-js:latest"
    );
    let granted = first.permissions.as_ref().unwrap().permissions();
    assert!(matches!(
        &granted[..],
        [Permission::Network(_), Permission::Environment(_)]
    ));
    assert_eq!(first.written.place, "fleet.yaml:4");
}

#[test]
fn files_of_other_editors_and_json_are_read() {
    for text in [
        format!("\u{feff}{}", SEED.replace('\n', "\r\n")),
        // Without a version, it is 1.
        SEED.replace("version: 1\n", ""),
        json!({"components": [{"uri": "oci://a.example/get:1", "name": "weather-service"}]})
            .to_string(),
        "{\n\t\"components\": [\n\t\t{\"uri\": \"oci://a.example/x:1\", \"name\": \"weather-service\"}\n\t]\n}".into(),
    ] {
        assert_eq!(loaded(&text).entries[0].id.as_str(), "weather-service", "{text}");
    }
}

#[test]
fn paths_are_taken_from_the_manifest_and_names_from_the_catalog() {
    let manifest = loaded("components:\n- uri: ./tools/calc.wasm\n- uri: get-weather-js\n");
    let [file, known] = &manifest.entries[..] else {
        panic!("{manifest:?}")
    };
    assert_eq!(file.reference.to_string(), "file:///fleet/tools/calc.wasm");
    assert_eq!(file.id.as_str(), "calc");
    assert!(matches!(known.reference, Reference::Oci(_)));
}

#[test]
fn permissions_left_out_differ_from_none() {
    let manifest = loaded(
        "components:\n- uri: a.wasm\n- uri: b.wasm\n  permissions: {}\n- uri: c.wasm\n  permissions: null\n",
    );
    let granted = manifest.entries.iter().map(|entry| &entry.permissions);
    let granted: Vec<_> = granted.map(Option::is_some).collect();
    assert_eq!(granted, [false, true, false]);
}

#[test]
fn variables_are_expanded_in_values_and_not_in_what_is_kept() {
    let text = "components:\n- uri: oci://${REGISTRY:-ghcr.io}/acme/x:1\n  permissions: {network: {allow: [{host: '${HOST}'}]}}\n";
    let manifest = loaded(text);
    let entry = &manifest.entries[0];
    assert_eq!(entry.reference.to_string(), "oci://ghcr.io/acme/x:1");
    let granted = entry.permissions.as_ref().unwrap().permissions();
    assert!(granted[0].to_string().contains("api.example.com"));
    assert_eq!(entry.written.uri, "oci://${REGISTRY:-ghcr.io}/acme/x:1");
    let kept = entry.written.permissions.as_ref().unwrap().to_string();
    assert!(kept.contains("${HOST}"), "{kept}");
    // A manifest from the web is not expanded.
    let web = Manifest::from_web("https://a.example/m", text).unwrap_err();
    assert!(web.to_string().contains("${"), "{web}");
}

#[test]
fn the_hash_of_an_entry_is_of_what_it_says() {
    let hash = |text: &str| loaded(text).entries[0].written.hash;
    let first = hash("components:\n- uri: a.wasm\n  name: a # a comment\n");
    assert_eq!(hash("components: [{name: a, uri: a.wasm}]\n"), first);
    assert_eq!(
        hash("components: [{name: a, uri: a.wasm, digest: null}]\n"),
        first
    );
    for other in [
        "{name: b, uri: a.wasm}",
        "{name: a, uri: b.wasm}",
        "{name: a, uri: a.wasm, permissions: {}}",
    ] {
        assert_ne!(hash(&format!("components: [{other}]\n")), first, "{other}");
    }
}
