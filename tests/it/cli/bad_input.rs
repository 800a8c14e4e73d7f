//! Bad inputs: each gives a clear error, installs nothing and leaves nothing behind.

use serde_json::json;

use crate::support::cli::Cli;

fn refused(cli: &Cli, name: &str, content: impl AsRef<[u8]>) -> String {
    let file = cli.file(name, content);
    let text = cli.failure(["load", "--uri", file.to_str().unwrap()]);
    assert_eq!(cli.json(["list"]), json!({"components": []}));
    assert!(cli.is_tidy());
    text
}

fn lifted(body: &str) -> String {
    format!(
        r#"(component
            (core module $m {body})
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#
    )
}

#[test]
fn a_missing_file() {
    let cli = Cli::new();
    insta::assert_snapshot!(cli.failure(["load", "--uri", "absent.wasm"]));
}

#[test]
fn not_wasm() {
    insta::assert_snapshot!(refused(&Cli::new(), "notes.wasm", "Dear diary"));
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(refused(&Cli::new(), "empty.wasm", ""));
}

#[test]
fn bad_text() {
    insta::assert_snapshot!(refused(&Cli::new(), "bad.wat", "(component\n  (func))"));
}

#[test]
fn a_core_module() {
    insta::assert_snapshot!(refused(&Cli::new(), "core.wat", "(module)"));
}

#[test]
fn truncated_wasm() {
    let whole = wat::parse_str(lifted(r#"(func (export "run"))"#)).unwrap();
    for length in [9, whole.len() / 2, whole.len() - 1] {
        let text = refused(&Cli::new(), "cut.wasm", &whole[..length]);
        assert!(text.starts_with("exit code 6\n"), "{text}");
    }
}

#[test]
fn an_empty_component() {
    insta::assert_snapshot!(refused(&Cli::new(), "empty.wat", "(component)"));
}

#[test]
fn an_unknown_import() {
    let text = r#"(component
        (import "acme:host/magic@1.0.0" (instance (export "wave" (func))))
        (core module $m (func (export "run")))
        (core instance $i (instantiate $m))
        (func (export "run") (canon lift (core func $i "run"))))"#;
    insta::assert_snapshot!(refused(&Cli::new(), "magic.wat", text));
}

#[test]
fn bad_references() {
    let cli = Cli::new();
    for (n, uri) in [
        "oci://",
        "oci://ghcr.io",
        "oci://ghcr.io/Acme/Tool",
        "oci://ghcr.io/acme/tool@sha256:12",
        "http://example.com/tool.wasm",
        "ftp://example.com/tool.wasm",
        "file://relative/tool.wasm",
    ]
    .into_iter()
    .enumerate()
    {
        insta::assert_snapshot!(
            format!("bad_reference_{n}"),
            cli.failure(["load", "--uri", uri])
        );
    }
}

#[test]
fn a_dead_registry() {
    let cli = Cli::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let text = cli.failure(["load", "--uri", &format!("oci://{address}/acme/tool:1")]);
    assert!(text.starts_with("exit code 4\n"), "{text}");
    assert!(text.contains(&address) && text.contains("hint:"), "{text}");
}

#[test]
fn an_unknown_tool() {
    let cli = Cli::new();
    cli.load(&cli.file("run.wat", lifted(r#"(func (export "run"))"#)));
    insta::assert_snapshot!(cli.failure(["call", "rum"]));
    insta::assert_snapshot!(cli.failure(["call", "something-else"]));
}

#[test]
fn wrong_arguments() {
    let cli = Cli::new();
    cli.load(&cli.file("run.wat", lifted(r#"(func (export "run"))"#)));
    insta::assert_snapshot!(cli.failure(["call", "run", "--args", "[1]"]));
    insta::assert_snapshot!(cli.failure(["call", "run", "--args", r#"{"x": 1}"#]));
}

#[test]
fn a_trap_names_the_functions() {
    let cli = Cli::new();
    let body = r#"(func $inner unreachable) (func $outer (export "run") (call $inner))"#;
    cli.load(&cli.file("trap.wat", lifted(body)));
    let text = cli.failure(["call", "run"]);
    assert!(text.starts_with("exit code 7\n"), "{text}");
    assert!(text.contains("inner") && text.contains("outer"), "{text}");
}

#[test]
fn an_endless_loop() {
    let cli = Cli::new();
    let body = r#"(func (export "run") (loop (br 0)))"#;
    cli.load(&cli.file("loop.wat", lifted(body)));
    insta::assert_snapshot!(cli.failure(["call", "run", "--call-timeout", "1"]));
}

#[test]
fn endless_memory() {
    let cli = Cli::new();
    let body = r#"(memory 1)
        (func (export "run")
            (loop (if (i32.eq (memory.grow (i32.const 256)) (i32.const -1)) (then unreachable))
                (br 0)))"#;
    cli.load(&cli.file("memory.wat", lifted(body)));
    let text = cli.failure(["call", "run"]);
    assert!(text.contains("512 MiB"), "{text}");
}

#[test]
fn a_bad_configuration() {
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).unwrap();
    std::fs::write(
        cli.root().join("config.toml"),
        "[registry]\nplain_htpp = []\n",
    )
    .unwrap();
    insta::assert_snapshot!(cli.failure(["list"]));
}

#[test]
fn hosts_in_the_configuration_are_hosts() {
    for (section, key) in [("registry", "plain_http"), ("network", "insecure")] {
        for host in [
            "https://r.lan",
            "r.lan/",
            "user@r.lan",
            "r.lan:",
            "r.lan:99999",
            "",
            "*",
        ] {
            let cli = Cli::new();
            std::fs::create_dir_all(cli.root()).unwrap();
            let text = format!("[{section}]\n{key} = ['good.lan:443', '{host}']\n");
            std::fs::write(cli.root().join("config.toml"), text).unwrap();
            let said = cli.failure(["list"]);
            assert!(said.starts_with("exit code 2\n"), "{said}");
            let why = format!("`{host}` is not a host; write `host` or `host:port`");
            assert!(said.contains(&why) && said.contains(key), "{said}");
        }
    }
}
