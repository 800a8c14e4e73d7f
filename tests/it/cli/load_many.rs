//! Loads of paths, addresses and names, one or several at once.

use serde_json::json;

use crate::support::cli::Cli;
use crate::support::components::{ANSWER, binary};

#[test]
fn several_sources_are_loaded_each_by_itself() {
    let cli = Cli::new();
    for name in ["a", "b"] {
        cli.file(&format!("{name}.wasm"), binary(ANSWER));
    }
    cli.file("notes.wasm", "Dear diary");
    let one = cli.run(["load", "./a.wasm"]);
    assert_eq!(one.code, 0, "{}", one.stderr);
    let args = ["load", "absent.wasm", "b.wasm", "notes.wasm", "a.wasm"];
    let ended = cli.run(args);
    // The exit code is that of the first failure.
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stdout.contains("component  a\n") && ended.stdout.contains("component  b\n"));
    assert!(ended.stderr.contains("absent.wasm") && ended.stderr.contains("notes.wasm"));
    assert!(
        ended.stderr.contains("2 of 4 sources could not be loaded"),
        "{}",
        ended.stderr
    );
    let ended = cli.run([&args[..], &["-o", "json"]].concat());
    let loads: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let ids = ["b", "a"].map(|id| json!(id));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(&loads["components"][n]["component_id"], id);
        assert_eq!(loads["components"][n]["status"], "already-loaded");
    }
    assert_eq!(loads["failures"][0]["source"], "absent.wasm");
    assert_eq!(loads["failures"][0]["error"]["code"], "not-found");
    let error: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["code"], "load-failed");
}

#[test]
fn options_for_one_source_are_refused_for_several() {
    let cli = Cli::new();
    for (option, value) in [
        ("--name", "c"),
        ("--policy", "p.yaml"),
        ("--username", "alice"),
    ] {
        let said = cli.failure(["load", "a.wasm", "b.wasm", option, value]);
        assert!(said.starts_with("exit code 2\n"), "{said}");
        assert!(
            said.contains(&format!("`{option}` is for one source")),
            "{said}"
        );
    }
}

#[test]
fn a_bare_word_is_a_name_of_the_catalog() {
    let cli = Cli::new();
    for args in [
        &["load", "get-weather-js"][..],
        &["load", "--uri", "get-weather-js"],
    ] {
        let said = cli.failure([&["--offline"], args].concat());
        assert!(said.contains("ghcr.io/microsoft/get-weather-js"), "{said}");
    }
    let said = cli.failure(["load", "get-wether-js"]);
    assert!(said.starts_with("exit code 3\n"), "{said}");
    assert!(said.contains("did you mean `get-weather-js`") && said.contains("./get-wether-js"));
    let said = cli.failure(["load", "weather"]);
    assert!(said.contains("`get-weather-js`"), "{said}");
    // A file without an extension is named by its path.
    cli.file("answer", binary(ANSWER));
    assert_eq!(cli.json(["load", "./answer"])["component_id"], "answer");
}
