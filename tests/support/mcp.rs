//! Runs the server as a process, with MCP clients.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

pub use super::ear::{Answer, Ear, News};
pub use super::wait::DEADLINE as PATIENCE;
use super::wait::{until, within, within_a_compile};

/// `big(n)` returns a text of `n` bytes.
pub const BIG: &str = r#"
(component
  (core module $m
    (memory (export "mem") 400)
    (func (export "big") (param i32) (result i32)
      (memory.fill (i32.const 64) (i32.const 120) (local.get 0))
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (local.get 0))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "big") (param "n" u32) (result string)
    (canon lift (core func $i "big") (memory (core memory $i "mem")))))
"#;

/// `add` adds two numbers, and `spin` never ends.
pub const CALC: &str = r#"
(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32)
      local.get 0
      local.get 1
      i32.add)
    (func (export "spin") (loop $again br $again)))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" s32) (param "b" s32) (result s32)
    (canon lift (core func $i "add")))
  (func (export "spin") (canon lift (core func $i "spin"))))
"#;

/// A root directory, with components beside it.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Writes a component and returns its `file://` reference.
    pub fn component(&self, name: &str, wat: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, wat).unwrap();
        format!("file://{}", path.display())
    }

    /// Writes the root's configuration.
    pub fn configure(&self, config: &str) {
        std::fs::create_dir_all(self.path("root")).unwrap();
        std::fs::write(self.path("root/config.toml"), config).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that only its owner can read.
    pub fn secret(&self, name: &str, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt;

        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Returns the binary with this root.
    pub fn wassette(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wassette"));
        command
            .env_remove("RUST_LOG")
            .env("WASSETTE_ROOT", self.dir.path().join("root"))
            .args(args)
            .kill_on_drop(true);
        command
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.wassette(&["serve"]);
        command.args(args);
        command
    }

    /// Returns a server over standard input and output, for a test that ends it, and the two ends
    /// of its pipes: those to read from and to write to.
    pub fn piped(&self, args: &[&str]) -> (Child, (ChildStdout, ChildStdin)) {
        let mut command = self.command(&[&["--transport", "stdio"], args].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let pipes = (server.stdout.take().unwrap(), server.stdin.take().unwrap());
        (server, pipes)
    }

    /// Returns a client of a new server over standard input and output.
    pub async fn stdio(&self) -> Client {
        self.stdio_with(&[]).await
    }

    pub async fn stdio_with(&self, args: &[&str]) -> Client {
        self.stdio_as(args, Ear::new(ProtocolVersion::LATEST_WITH_INITIALIZE))
            .await
    }

    /// Like [`Place::stdio`], with a user who gives this answer.
    pub async fn stdio_answering(&self, answer: Answer) -> Client {
        self.stdio_as(
            &[],
            Ear::answering(ProtocolVersion::LATEST_WITH_INITIALIZE, answer),
        )
        .await
    }

    pub async fn stdio_as(
        &self,
        args: &[&str],
        ear: (Arc<Ear>, mpsc::UnboundedReceiver<News>),
    ) -> Client {
        let command = self.command(&[&["--transport", "stdio"], args].concat());
        Client::of(command, ear).await
    }

    pub async fn http(&self, args: &[&str]) -> HttpServer {
        self.http_by(self.http_command(args)).await
    }

    /// In a session of its own, as a service runs.
    pub async fn http_without_terminal(&self, args: &[&str]) -> HttpServer {
        let command = self.http_command(args);
        let mut alone = Command::new("setsid");
        alone.arg(command.as_std().get_program());
        alone.args(command.as_std().get_args()).kill_on_drop(true);
        for (name, value) in command.as_std().get_envs() {
            match value {
                Some(value) => alone.env(name, value),
                None => alone.env_remove(name),
            };
        }
        self.http_by(alone).await
    }

    fn http_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(&["--transport", "sse"]);
        if !args.contains(&"--bind") {
            command.args(["--bind", "127.0.0.1:0"]);
        }
        command.args(args);
        command
    }

    async fn http_by(&self, mut command: Command) -> HttpServer {
        command.stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut warnings = String::new();
        let url = loop {
            let line = within("the server listens", stderr.next_line()).await;
            let line = line.unwrap().expect("the server ended");
            if let Some((_, url)) = line.split_once("listening on ") {
                break url.trim().replace("0.0.0.0", "127.0.0.1");
            }
            warnings.push_str(&line);
        };
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        // Keep reading, or the server would block on the full pipe.
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                lines.lock().unwrap().push(line);
            }
        });
        HttpServer {
            url,
            warnings,
            child,
            log,
        }
    }
}

/// A server on a free loopback port.
pub struct HttpServer {
    pub url: String,
    /// The log before it listened.
    pub warnings: String,
    pub child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl HttpServer {
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Its log since it listens.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until its log has this text, which may be written before it listens,
    /// and returns the log so far.
    pub async fn logged(&self, text: &str) -> String {
        let log = || self.warnings.clone() + &self.log().join("\n");
        until(text, || log().contains(text)).await;
        log()
    }

    /// Its peak memory, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        peak_memory(self.child.id())
    }

    /// Returns the CPU time it has used.
    #[cfg(target_os = "linux")]
    pub fn cpu_time(&self) -> Duration {
        super::processor::of_process(self.child.id().expect("still running"))
    }

    /// Returns a client over streamable HTTP.
    pub async fn client(&self, version: ProtocolVersion) -> Client {
        self.client_as(Ear::new(version)).await
    }

    pub async fn client_as(
        &self,
        (ear, news): (Arc<Ear>, mpsc::UnboundedReceiver<News>),
    ) -> Client {
        install_tls();
        let transport = StreamableHttpClientTransport::from_uri(self.at("/mcp"));
        let service = within("a session", ear.serve(transport)).await.unwrap();
        Client {
            service,
            news,
            pid: self.child.id(),
        }
    }

    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().expect("still running");
        let status = std::process::Command::new("kill")
            .args(["-s", name, &pid.to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the process and returns its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let ended = within("the end of the server", self.child.wait()).await;
        ended.unwrap().code()
    }
}

/// Returns the peak memory of a process, in bytes.
#[cfg(target_os = "linux")]
pub fn peak_memory(pid: Option<u32>) -> u64 {
    let pid = pid.expect("still running");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

/// reqwest needs a crypto provider even without TLS.
pub fn install_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub struct Client {
    pub service: RunningService<RoleClient, Arc<Ear>>,
    pub news: mpsc::UnboundedReceiver<News>,
    pid: Option<u32>,
}

impl Client {
    /// Of a new server that this command starts.
    pub async fn of(
        command: Command,
        (ear, news): (Arc<Ear>, mpsc::UnboundedReceiver<News>),
    ) -> Client {
        let transport = TokioChildProcess::new(command).unwrap();
        let pid = transport.id();
        let service = within("a session", ear.serve(transport)).await.unwrap();
        Client { service, news, pid }
    }

    /// Returns the server's process id.
    #[cfg(target_os = "linux")]
    pub fn pid(&self) -> u32 {
        self.pid.expect("a running server")
    }

    /// Returns a file of the server's process in `/proc`.
    #[cfg(target_os = "linux")]
    pub fn process(&self, file: &str) -> String {
        let pid = self.pid();
        std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
    }

    /// Returns the server's peak memory, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        peak_memory(self.pid)
    }

    /// Returns the CPU time that the server has used.
    #[cfg(target_os = "linux")]
    pub fn cpu_time(&self) -> Duration {
        super::processor::of_process(self.pid.expect("a running server"))
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        let call = self.service.call_tool(params(tool, arguments));
        within_a_compile(tool, call).await.unwrap()
    }

    pub async fn load(&self, uri: &str) -> Value {
        let result = self
            .call("load-component", serde_json::json!({ "uri": uri }))
            .await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
        result.structured_content.unwrap()
    }

    pub async fn tool_names(&self) -> Vec<String> {
        let tools = self.service.list_all_tools();
        let tools = within("the list of tools", tools).await.unwrap();
        tools.into_iter().map(|tool| tool.name.into()).collect()
    }

    /// Waits for a notification that the tool list changed.
    pub async fn tools_changed(&mut self) {
        while !matches!(self.next_news().await, News::ToolsChanged) {}
    }

    pub async fn next_news(&mut self) -> News {
        let news = within("news of the server", self.news.recv()).await;
        news.expect("the connection is open")
    }
}

pub fn params(tool: &str, arguments: Value) -> CallToolRequestParams {
    let mut params = CallToolRequestParams::new(tool.to_owned());
    params.arguments = arguments.as_object().cloned();
    params
}

/// Returns the first text of a result, as JSON.
pub fn text_of(result: &CallToolResult) -> Value {
    let text = result.content[0].as_text().expect("text content");
    serde_json::from_str(&text.text).expect("JSON")
}
