//! A tool name always belongs to the same tool: in every process, and after updates, rollbacks and
//! unloads.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::mcp::Place;

/// A component whose one tool, `which`, returns a number.
fn which(number: u32) -> String {
    exporting("which", number)
}

fn exporting(tool: &str, number: u32) -> String {
    format!(
        r#"(component
             (core module $m (func (export "f") (result i32) i32.const {number}))
             (core instance $i (instantiate $m))
             (func (export "{tool}") (result u32) (canon lift (core func $i "f"))))"#
    )
}

/// A root with `a` and then `b`, which export the same tool.
fn two() -> (Cli, PathBuf, PathBuf) {
    let cli = Cli::new();
    let (a, b) = (cli.file("a.wat", which(1)), cli.file("b.wat", which(2)));
    cli.load(&a);
    let loaded = cli.load(&b);
    assert_eq!(loaded["tool_names"], json!(["b_which"]));
    (cli, a, b)
}

fn called(cli: &Cli, name: &str) -> String {
    cli.run(["call", name]).stdout.trim().to_owned()
}

/// Returns the tool names of each installed component.
fn listed(cli: &Cli) -> Vec<(String, Value)> {
    let listed = cli.json(["list"]);
    let components = listed["components"].as_array().unwrap().iter();
    components
        .map(|one| {
            (
                one["id"].as_str().unwrap().to_owned(),
                one["tool_names"].clone(),
            )
        })
        .collect()
}

#[test]
fn the_name_that_is_shown_runs_the_component_it_stands_beside() {
    let (cli, _, b) = two();
    assert_eq!(called(&cli, "b_which"), "2");
    assert_eq!(called(&cli, "which"), "1");
    let shown = [("a", json!(["which"])), ("b", json!(["b_which"]))];
    assert_eq!(
        listed(&cli),
        shown.map(|(id, names)| (id.to_owned(), names))
    );
    assert_eq!(cli.load(&b)["tool_names"], json!(["b_which"]));
    let inspected = cli.json(["inspect", "b"]);
    assert_eq!(inspected["tools"][0]["normalized_name"], "b_which");
}

#[test]
fn an_unloaded_component_finds_its_names_again() {
    let (cli, a, b) = two();
    cli.json(["unload", "a"]);
    // The later component is loaded again, too, and does not get the name.
    assert_eq!(cli.load(&b)["tool_names"], json!(["b_which"]));
    let c = cli.file("c.wat", which(3));
    assert_eq!(cli.load(&c)["tool_names"], json!(["c_which"]));
    assert_eq!(cli.load(&a)["tool_names"], json!(["which"]));
    assert_eq!(called(&cli, "which"), "1");
}

#[test]
fn another_source_under_the_same_id_does_not_inherit_a_name() {
    let (cli, _, _) = two();
    cli.json(["unload", "a"]);
    let evil = cli.file("evil.wat", which(6));
    let loaded = cli.json(["load", "--uri", evil.to_str().unwrap(), "--name", "a"]);
    assert_eq!(loaded["tool_names"], json!(["a_which"]));
    assert_eq!(cli.run(["call", "which"]).code, 3);
}

#[test]
fn only_a_person_gives_a_name_away() {
    let (cli, _, b) = two();
    cli.json(["unload", "a", "--free-names"]);
    assert_eq!(cli.load(&b)["tool_names"], json!(["b_which"]), "it is kept");
    cli.json(["unload", "b", "--free-names"]);
    assert_eq!(cli.load(&b)["tool_names"], json!(["which"]));
}

#[test]
fn the_way_back_from_an_update_keeps_its_names() {
    let cli = Cli::new();
    let a = cli.file("a.wat", exporting("old", 1));
    cli.load(&a);
    cli.file("a.wat", exporting("new", 2));
    cli.json(["update", "a", "--accept"]);
    let b = cli.file("b.wat", exporting("old", 3));
    assert_eq!(cli.load(&b)["tool_names"], json!(["b_old"]));
    assert_eq!(cli.json(["rollback", "a"])["tool_names"], json!(["old"]));
    assert_eq!(called(&cli, "old"), "1");
}

#[test]
fn a_store_without_the_record_gets_the_same_names() {
    let (cli, _, _) = two();
    std::fs::remove_file(cli.root().join("names.json")).unwrap();
    assert_eq!(called(&cli, "which"), "1");
    assert_eq!(called(&cli, "b_which"), "2");
    // The next change writes it again.
    let c = cli.file("c.wat", which(3));
    assert_eq!(cli.load(&c)["tool_names"], json!(["c_which"]));
    assert!(cli.root().join("names.json").is_file());
    assert_eq!(called(&cli, "which"), "1");
}

#[test]
fn an_unload_reserves_names_that_were_never_recorded() {
    let (cli, a, b) = two();
    std::fs::remove_file(cli.root().join("names.json")).unwrap();
    cli.json(["unload", "a"]);
    assert_eq!(cli.load(&b)["tool_names"], json!(["b_which"]));
    assert_eq!(cli.load(&a)["tool_names"], json!(["which"]));
}

#[test]
fn a_damaged_record_names_tools_anew() {
    let (cli, _, _) = two();
    std::fs::write(cli.root().join("names.json"), "{").unwrap();
    let ended = cli.run(["call", "which"]);
    assert_eq!(ended.stdout.trim(), "1");
    assert!(ended.stderr.contains("names.json"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_running_server_the_command_line_and_the_next_server_agree() {
    let place = Place::new();
    let (a, b) = (
        place.component("a.wat", &which(1)),
        place.component("b.wat", &which(2)),
    );
    let run = async |args: &[&str]| {
        let output = place.wassette(args).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["load", "--uri", &a]).await;
    run(&["load", "--uri", &b]).await;
    let mut server = place.stdio().await;
    server.tool_names().await;
    run(&["unload", "a"]).await;
    server.tools_changed().await;
    run(&["load", "--uri", &a]).await;
    server.tools_changed().await;
    let next = place.stdio().await;
    for (name, value) in [("which", 1), ("b_which", 2)] {
        let expected = Some(json!({ "result": value }));
        assert_eq!(
            server.call(name, json!({})).await.structured_content,
            expected
        );
        assert_eq!(
            next.call(name, json!({})).await.structured_content,
            expected
        );
        assert_eq!(run(&["call", name]).await.trim(), value.to_string());
    }
}
