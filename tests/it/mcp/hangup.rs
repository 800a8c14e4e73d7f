//! SIGHUP reloads a server without a controlling terminal, and ends one that has it.

use reqwest::StatusCode;

use crate::support::http::Mcp;
use crate::support::mcp::Place;

const OLD: &str = "old-7f3c9a52e1b84d06";
const NEW: &str = "new-0d6b1c8e4f2a9753";
const OTHER: &str = "other-0d6b1c8e4f2a97";

#[tokio::test]
async fn reads_the_token_file_again() {
    let place = Place::new();
    let file = place.secret("token", &format!("{OLD}\n"));
    let server = place
        .http_without_terminal(&["--auth-token-file", &file])
        .await;
    let open = async |token| {
        let client = Mcp::new(&server.url, Some(token));
        client.initialize().await.status()
    };
    assert_eq!(open(OLD).await, StatusCode::OK);
    place.secret("token", &format!("{NEW}\n{OTHER}\n"));
    server.signal("HUP");
    server.logged("the token file: 2 tokens are valid").await;
    assert_eq!(open(OLD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(open(NEW).await, StatusCode::OK);
    place.secret("token", "short\n");
    server.signal("HUP");
    let log = server.logged("; the tokens stay as they are: ").await;
    assert!(!log.contains("short\n"), "{log}");
    assert_eq!(open(OTHER).await, StatusCode::OK);
}

/// Starts a server at a terminal, closes the terminal, and prints the signal that
/// ended the server.
const CLOSED: &str = r#"
import os, pty, signal, sys
signal.alarm(60)
child, terminal = pty.fork()
if child == 0:
    # What runs in the background is often told to ignore it.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
screen = b""
while b"listening on" not in screen:
    screen += os.read(terminal, 4096)
os.close(terminal)
print(-os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[tokio::test]
async fn ends_a_server_whose_terminal_is_closed() {
    let place = Place::new();
    let command = place.command(&["--transport", "sse", "--bind", "127.0.0.1:0"]);
    let command = command.as_std();
    let output = std::process::Command::new("python3")
        .args(["-c", CLOSED])
        .arg(command.get_program())
        .args(command.get_args())
        .env("WASSETTE_ROOT", place.path("root"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{stderr}");
}
