//! The options that `serve` refuses, and its messages on a terminal.

use crate::support::cli::Cli;

#[test]
fn options_of_the_http_transports_are_refused_without_one() {
    let cli = Cli::new();
    let token = cli.file("token", "0123456789abcdef0123456789abcdef\n");
    let token = token.to_str().unwrap();
    for option in [
        &["--bind", "127.0.0.1:0"][..],
        &["--auth-token-file", token],
        &["--no-auth"],
        &["--allowed-host", "x.example"],
        &["--allowed-origin", "https://x.example"],
        &["--max-sessions", "5"],
        &["--max-requests", "5"],
        &["--share"],
    ] {
        let said = cli.failure([&["serve"], option].concat());
        assert!(said.starts_with("exit code 2\n"), "{option:?}: {said}");
        assert!(said.contains("--transport sse"), "{option:?}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn on_a_terminal_it_says_what_it_speaks() {
    let cli = Cli::new();
    // Ctrl-D ends its input, which ends the server.
    let seen = cli.at_terminal(&["serve"], &[("--transport sse", "\x04")]);
    assert!(
        seen.screen.contains("MCP over standard input"),
        "{}",
        seen.screen
    );
    assert!(!seen.screen.contains("listening"), "{}", seen.screen);
}
