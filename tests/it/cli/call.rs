//! Calls and tools as people type them.

use serde_json::json;

use crate::support::cli::Cli;

const CALC: &str = r#"(component
    (core module $m
        (func (export "sub") (param i32 i32) (result i32)
            (i32.sub (local.get 0) (local.get 1)))
        (func (export "not") (param i32) (result i32) (i32.eqz (local.get 0))))
    (core instance $i (instantiate $m))
    (func (export "sub") (param "left" s32) (param "right" s32) (result s32)
        (canon lift (core func $i "sub")))
    (func (export "not") (param "that" bool) (result bool)
        (canon lift (core func $i "not"))))"#;

fn calc() -> Cli {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    cli
}

#[test]
fn arguments_are_options_of_the_tool() {
    let cli = calc();
    for args in [
        &["call", "sub", "--left", "40", "--right", "-2"][..],
        &["call", "sub", "--right=-2", "--left=40"],
        &["call", "sub", "--args", r#"{"left": 40, "right": -2}"#],
        &["call", "--args", r#"{"left": 40, "right": -2}"#, "sub"],
        &[
            "call",
            "--call-timeout",
            "30s",
            "sub",
            "--left",
            "40",
            "--right",
            "-2",
        ],
        &[
            "call",
            "sub",
            "--left",
            "40",
            "--right",
            "-2",
            "--call-timeout",
            "1m",
        ],
    ] {
        let ended = cli.run(args);
        assert_eq!(
            (ended.code, &*ended.stdout),
            (0, "42\n"),
            "{args:?} {}",
            ended.stderr
        );
        let data = cli.run([args, &["-o", "json"]].concat()).stdout;
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data, json!({ "result": 42 }));
        let before = cli.run([&["-o", "json"], args].concat());
        assert!(before.stdout.contains("\"result\": 42"));
    }
    assert_eq!(cli.run(["call", "not", "--that"]).stdout, "false\n");
    assert_eq!(cli.run(["call", "not", "--that", "false"]).stdout, "true\n");
}

#[test]
fn other_spellings_of_names_are_taken_and_told() {
    let cli = calc();
    for args in [
        &["call", "sub", "--Left", "40", "--right", "-2"][..],
        &["call", "sub", "--args", r#"{"LEFT": 40, "right": -2}"#],
    ] {
        let ended = cli.run(args);
        assert_eq!(
            (ended.code, &*ended.stdout),
            (0, "42\n"),
            "{}",
            ended.stderr
        );
        assert!(
            ended.stderr.contains("was taken for `left`"),
            "{}",
            ended.stderr
        );
    }
    let twice = cli.run(["call", "sub", "--left", "1", "--Left", "2", "--right", "3"]);
    assert_eq!(twice.code, 2, "{}", twice.stdout);
    assert!(
        twice.stderr.contains("`args.Left` is not known here"),
        "{}",
        twice.stderr
    );
}

#[test]
fn unknown_arguments_list_the_known_ones() {
    let cli = calc();
    for (args, told) in [
        (&["--lift", "1"][..], "did you mean `--left`?"),
        (
            &["--zzzzzzzz", "1"],
            "`wassette tools sub` describes its arguments",
        ),
        (&["40", "2"], "arguments are given as `--NAME VALUE`"),
        (&["--root", "x"], "`sub` has no argument `root`"),
        (&["--left"], "`--left` has no value"),
        (
            &["--left", "1", "--args", "{}"],
            "`--args` holds all arguments",
        ),
        (&["--left", "many", "--right", "1"], "args.left"),
    ] {
        let said = cli.failure([&["call", "sub"], args].concat());
        assert!(said.starts_with("exit code 2\n"), "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
    }
    let said = cli.failure(["call", "sub", "--lift", "1"]);
    assert!(said.contains("arguments: --left, --right"), "{said}");
    assert!(
        cli.failure(["call", "sab", "--left", "1"])
            .contains("did you mean `sub`?")
    );
}

#[test]
fn tools_are_described_in_words_with_an_example_that_works() {
    let cli = calc();
    let all = cli.run(["tools"]).stdout;
    assert!(
        all.contains("NAME") && all.contains("sub") && all.contains("not"),
        "{all}"
    );
    assert_eq!(cli.run(["tools", "calc"]).stdout, all);
    for args in [&["tools", "sub"][..], &["tools", "calc", "sub"]] {
        let one = cli.run(args).stdout;
        assert!(one.contains("--left   integer"), "{one}");
        let example = one.lines().find_map(|line| line.strip_prefix("example"));
        let words: Vec<_> = example.unwrap().split_whitespace().collect();
        assert_eq!(words[0], "wassette");
        let called = cli.run(&words[1..]);
        assert_eq!(called.code, 0, "{words:?}: {}", called.stderr);
    }
    let data = cli.json(["tools", "sub"]);
    assert_eq!(data["component_id"], "calc");
    assert!(data["input_schema"]["properties"]["left"].is_object());
    for args in [
        &["tools", "absent"][..],
        &["tools", "calc", "absent"],
        &["tools", "no", "sub"],
    ] {
        let said = cli.failure(args);
        assert!(said.starts_with("exit code 3\n"), "{said}");
    }
}
