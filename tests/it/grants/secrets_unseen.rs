//! A component's secret is never shown outside the component.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::cli::{Cli, Ended};
#[cfg(unix)]
use crate::support::components_files::OPENS;
use crate::support::components_rt::TELLTALE;
use crate::support::network_guest::{COMPONENT, message};

/// A text that occurs in every notation of the secret.
const RECOGNISED: &str = "hunter22";
const SECRET: &str = "hunter22-\"quoted\"\\";

const POLICY: &str = "version: \"1.0\"
permissions:
  environment: {allow: [{key: TOKEN, value_from: secret}]}
";

fn fed(command: &mut Command, input: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The log may fill its pipe before the input is written.
    let input = input.to_owned();
    let feeding = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output.into()
}

#[test]
fn in_logs_errors_results_messages_and_the_audit_log() {
    let cli = Cli::new();
    cli.load(&cli.file("telltale.wat", TELLTALE));
    let mut set = cli.command();
    set.args(["secret", "set", "telltale", "TOKEN"]);
    assert_eq!(fed(&mut set, SECRET).code, 0);
    let policy = cli.root().join("components/telltale/telltale.policy.yaml");
    fs::write(policy, POLICY).unwrap();

    let audit = cli.root().join("audit.jsonl");
    let call = |id: u32, tool: &str| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}});
    let messages = [
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        call(1, "env"),
        call(2, "fail"),
        call(3, "print"),
        json!({"jsonrpc": "2.0", "id": 4, "method": "tools/list"}),
    ];
    let input: String = messages.map(|message| format!("{message}\n")).concat();
    let mut serve = cli.command();
    serve
        .env("RUST_LOG", "trace")
        .args(["serve", "--audit-log"])
        .arg(&audit);
    let ended = fed(&mut serve, &input);

    let answers: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let answer = |id: u32| answers.iter().find(|answer| answer["id"] == id).unwrap();
    // The component saw the secret and returned it.
    assert_eq!(
        answer(1)["result"]["structuredContent"],
        json!({"result": [["TOKEN", "[redacted]"]]})
    );
    assert!(
        answer(2).to_string().contains("[redacted]"),
        "{}",
        answer(2)
    );
    let printed = |line: &str| line.contains("channel") && line.contains("[redacted]");
    assert!(ended.stderr.lines().any(printed));
    let audit = fs::read_to_string(audit).unwrap();
    assert_eq!(audit.lines().count(), 3, "{audit}");
    for (place, text) in [
        ("messages", &ended.stdout),
        ("log", &ended.stderr),
        ("audit log", &audit),
    ] {
        let told = text.lines().find(|line| line.contains(RECOGNISED));
        assert_eq!(told, None, "the {place}");
    }

    // The same on the command line.
    for tool in ["env", "fail", "print"] {
        let mut command = cli.command();
        command.env("RUST_LOG", "trace").args(["call", tool]);
        let ended = fed(&mut command, "");
        let text = format!("{}{}", ended.stdout, ended.stderr);
        assert!(text.contains("[redacted]"), "{tool}: {text}");
        let told = text.lines().find(|line| line.contains(RECOGNISED));
        assert_eq!(told, None, "{tool}");
    }
}

/// Several libraries handle the data that a guest passes to the host, and each has its own log.
#[cfg(unix)]
#[test]
fn in_what_is_asked_of_the_host() {
    let cli = Cli::new();
    cli.load(&cli.file("net.wasm", COMPONENT));
    cli.load(&cli.file("opens.wat", OPENS));
    let secret = "hunter22";
    for id in ["net", "opens"] {
        let mut set = cli.command();
        set.args(["secret", "set", id, "TOKEN"]);
        assert_eq!(fed(&mut set, secret).code, 0);
    }
    let granted = |id: &str, more: &str| {
        let policy = cli.root().join(format!("components/{id}/{id}.policy.yaml"));
        fs::write(policy, format!("{POLICY}  {more}\n")).unwrap();
    };
    granted(
        "net",
        "network: {allow: [{host: '*.test'}, {host: '*.localhost'}, {cidr: 127.0.0.0/8}]}",
    );
    let files = cli.root().join("../files").canonicalize().unwrap();
    let rule = format!(
        "{{uri: 'fs://{}/**', access: [read, write]}}",
        files.display()
    );
    granted("opens", &format!("storage: {{allow: [{rule}]}}"));
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let request = |url: &str| json!({ "message": message(url) });
    let mut with_header = message(&format!("http://127.0.0.1:{port}/"));
    with_header["headers"] = json!([["x-token", secret]]);
    for (tool, arguments) in [
        (
            "request",
            request(&format!("http://127.0.0.1:{port}/{secret}?q={secret}")),
        ),
        ("request", json!({ "message": with_header })),
        ("request", request(&format!("http://{secret}.test/"))),
        (
            "request",
            request(&format!("https://{secret}.localhost:{port}/")),
        ),
        ("request", request(&format!("http://denied.{secret}/"))),
        ("look-up", json!({ "name": format!("{secret}.test") })),
        ("read", json!({ "path": format!("{secret}.txt") })),
        ("write", json!({ "path": format!("{secret}.txt") })),
    ] {
        // Targets that RUST_LOG names explicitly are redacted like all others.
        for asked in ["trace", "trace,wasmtime_wasi::p2=trace,hyper=trace"] {
            let arguments = arguments.to_string();
            let mut command = cli.command();
            command.env("RUST_LOG", asked);
            command.args(["call", tool, "--args", &arguments]);
            let ended = fed(&mut command, "");
            let text = format!("{}{}", ended.stdout, ended.stderr);
            let told = text.lines().find(|line| line.contains(RECOGNISED));
            assert_eq!(told, None, "{tool} {arguments}");
            assert!(text.contains("TRACE"), "nothing was logged: {text}");
        }
    }
}
