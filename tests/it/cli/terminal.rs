//! Questions on a real terminal, and the user's answers.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::mcp::grants::publish;
use crate::support::cli::Cli;
use crate::support::registry::Registry;

const CTRL_C: &str = "\x03";
/// Python shows a process that died of this signal with its negative number.
const SIGINT: i32 = 2;
const GRANT: &str = "Grant this? [y/N]";

fn grants(cli: &Cli) -> Value {
    cli.json(["policy", "get", "asks"])["grants"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_asks_and_does_as_it_is_told() {
    let registry = Registry::start();
    let uri = publish(&registry).await;
    for (answer, granted) in [
        ("y\n", true),
        ("YES\n", true),
        ("n\n", false),
        ("\n", false),
        ("yes please\n", false),
        // The end of the input.
        ("\x04", false),
    ] {
        let cli = Cli::new();
        let seen = cli.at_terminal(&["load", "--uri", &uri], &[(GRANT, answer)]);
        assert_eq!(seen.code, 0, "{answer:?}: {}", seen.screen);
        for shown in ["asks to", "CITY", "asks:v1"] {
            assert!(seen.screen.contains(shown), "{}", seen.screen);
        }
        let found = grants(&cli);
        assert_eq!(found != json!([]), granted, "{answer:?}: {found}");
        assert!(seen.restored, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_question_leaves_the_component_without_grants() {
    let registry = Registry::start();
    let uri = publish(&registry).await;
    let cli = Cli::new();
    let seen = cli.at_terminal(&["load", "--uri", &uri], &[(GRANT, CTRL_C)]);
    assert_eq!(seen.code, -SIGINT, "{}", seen.screen);
    assert!(seen.screen.contains("Interrupted"), "{}", seen.screen);
    assert!(seen.restored);
    assert_eq!(grants(&cli), json!([]));
    assert!(cli.is_tidy());
    // The request can still be granted later.
    let seen = cli.at_terminal(&["load", "--uri", &uri], &[(GRANT, "y\n")]);
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert_ne!(grants(&cli), json!([]));
}

fn stored(cli: &Cli) -> Value {
    let list = ["secret", "list", "weather", "--show-values", "--yes"];
    cli.json(list)["secrets"].clone()
}

#[test]
fn secrets_that_are_typed_are_not_shown() {
    let cli = Cli::new();
    let dialog = [
        ("Value of A:", "hunter22\n"),
        ("Value of B:", "tr0ub4dor\n"),
    ];
    let seen = cli.at_terminal(&["secret", "set", "weather", "A", "B"], &dialog);
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert!(seen.screen.contains("Set `A`, `B`"), "{}", seen.screen);
    for typed in ["hunter22", "tr0ub4dor"] {
        assert!(!seen.screen.contains(typed), "{}", seen.screen);
    }
    assert!(seen.restored);
    assert_eq!(
        stored(&cli),
        json!([
            { "key": "A", "value": "hunter22" },
            { "key": "B", "value": "tr0ub4dor" },
        ])
    );
}

#[test]
fn an_interrupted_secret_leaves_a_terminal_that_shows_what_is_typed() {
    let cli = Cli::new();
    let dialog = [("Value of A:", "hunt"), ("", CTRL_C)];
    let seen = cli.at_terminal(&["secret", "set", "weather", "A"], &dialog);
    assert_eq!(seen.code, -SIGINT, "{}", seen.screen);
    assert!(seen.restored);
    assert!(!seen.screen.contains("hunt"), "{}", seen.screen);
    assert_eq!(stored(&cli), json!([]));
    let login = ["login", "registry.example", "--username", "alice"];
    let seen = cli.at_terminal(&login, &[("Password:", CTRL_C)]);
    assert_ne!(seen.code, 0, "{}", seen.screen);
    assert!(seen.restored);
}

#[test]
fn values_are_shown_to_who_says_yes() {
    let cli = Cli::new();
    cli.json(["secret", "set", "weather", "A=hunter22"]);
    let list = ["secret", "list", "weather", "--show-values"];
    let question = "on this screen? [y/N]";
    for (answer, shown) in [
        ("y\n", true),
        ("yes\n", true),
        ("n\n", false),
        ("\n", false),
        ("\x04", false),
    ] {
        let seen = cli.at_terminal(&list, &[(question, answer)]);
        assert_eq!(seen.code, if shown { 0 } else { 2 }, "{}", seen.screen);
        assert_eq!(seen.screen.contains("hunter22"), shown, "{}", seen.screen);
        assert!(seen.restored);
    }
    let seen = cli.at_terminal(&list, &[(question, CTRL_C)]);
    assert_ne!(seen.code, 0);
    assert!(!seen.screen.contains("hunter22"), "{}", seen.screen);
    assert!(seen.restored);
}
