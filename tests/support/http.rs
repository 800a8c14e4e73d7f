//! MCP over HTTP without a client library, to send what a proper client would not.

use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use wassette::http::{HttpOptions, HttpServer};
use wassette::mcp::{self, Settings};
use wassette::service::{Service, ServiceOptions};
use wassette::share::{self, Scope};
use wassette::store::Store;

use super::mcp::{PATIENCE, install_tls};
use super::wait::within;

/// A server in the test's own process, for limits that no command-line option sets.
pub struct InProcess {
    pub url: String,
    root: tempfile::TempDir,
    pub service: Arc<Service>,
    _running: DropGuard,
}

impl InProcess {
    pub async fn start(options: HttpOptions) -> Self {
        InProcess::start_sharing(options, None).await
    }

    pub async fn start_sharing(mut options: HttpOptions, scope: Option<Scope>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let service = Service::open(ServiceOptions {
            settings: None,
            root: root.path().into(),
            compiler: env!("CARGO_BIN_EXE_wassette").into(),
            reserved: mcp::RESERVED_NAMES.map(str::to_owned).into(),
            call_timeout: Some(PATIENCE),
            network: wassette::net::Network::On,
            credentials: Default::default(),
            packages: Default::default(),
            ca_files: Vec::new(),
            withheld: Vec::new(),
            audience: Default::default(),
        })
        .unwrap();
        options.memory = Some(service.memory().clone());
        let mut server = HttpServer::bind("127.0.0.1:0", options).await.unwrap();
        let url = format!("http://{}", server.address());
        if let Some(scope) = scope {
            share::mount(&mut server, Store::new(root.path()), scope);
        }
        let cancel = CancellationToken::new();
        let settings = Settings::default();
        let serving = mcp::serve_http(service.clone(), settings, server, cancel.clone());
        tokio::spawn(serving);
        InProcess {
            url,
            root,
            service,
            _running: cancel.drop_guard(),
        }
    }

    /// Loads a component through a session of its own.
    pub async fn load(&self, name: &str, wat: &str) {
        let file = self.root.path().join(name);
        std::fs::write(&file, wat).unwrap();
        self.load_uri(file.to_str().unwrap()).await;
    }

    pub async fn load_uri(&self, uri: &str) {
        let loaded = Mcp::open(&self.url, None)
            .await
            .call("load-component", json!({ "uri": uri }))
            .await;
        assert_eq!(loaded["result"]["isError"], false, "{loaded}");
        assert!(!self.service.toolbox().list().is_empty());
    }
}

/// A client of streamable HTTP with a session.
#[derive(Clone)]
pub struct Mcp {
    http: Client,
    url: String,
    token: Option<String>,
    pub session: Option<String>,
}

impl Mcp {
    pub fn new(server: &str, token: Option<&str>) -> Self {
        install_tls();
        Mcp {
            http: Client::new(),
            url: format!("{server}/mcp"),
            token: token.map(str::to_owned),
            session: None,
        }
    }

    pub async fn open(server: &str, token: Option<&str>) -> Self {
        let mut client = Mcp::new(server, token);
        let response = client.initialize().await;
        assert_eq!(response.status(), StatusCode::OK);
        let session = response.headers()["mcp-session-id"].to_str().unwrap();
        client.session = Some(session.to_owned());
        drop(response.text().await);
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let response = client.post(&initialized).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        client
    }

    pub async fn initialize(&self) -> Response {
        self.post(&initialize()).await
    }

    pub fn request(&self, method: Method) -> RequestBuilder {
        let mut request = self
            .http
            .request(method, &self.url)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        request
    }

    pub async fn post(&self, message: &Value) -> Response {
        let request = self.request(Method::POST).body(message.to_string());
        within("an answer", request.send()).await.unwrap()
    }

    /// Sends a call; the answer is the response's body.
    pub async fn send(&self, tool: &str, arguments: Value) -> Response {
        let params = json!({ "name": tool, "arguments": arguments });
        let id = fresh_id();
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
            .await
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let response = self.send(tool, arguments).await;
        assert_eq!(response.status(), StatusCode::OK);
        message(&within(tool, response.text()).await.unwrap())
    }
}

pub fn initialize() -> Value {
    let client = json!({ "name": "by\u{202e}hand", "version": "1" });
    let params = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

/// Returns the only message in a body, which is JSON or an event stream.
pub fn message(events: &str) -> Value {
    if let Ok(message) = serde_json::from_str(events) {
        return message;
    }
    let data = events.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.expect(events)).unwrap()
}

fn fresh_id() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(100);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An HTTP+SSE stream that is read in the background, and the URL to post to.
pub struct Sse {
    http: Client,
    token: Option<String>,
    pub endpoint: String,
    /// Resolves when the server ends the stream.
    pub ended: oneshot::Receiver<()>,
}

impl Sse {
    /// Returns the response to a request for a stream.
    pub async fn knock(server: &str, token: Option<&str>) -> Response {
        install_tls();
        let request = Client::new().get(format!("{server}/sse"));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap()
    }

    pub async fn open(server: &str, token: Option<&str>) -> Self {
        let mut stream = Sse::knock(server, token).await;
        assert_eq!(stream.status(), StatusCode::OK);
        let mut text = String::new();
        while !text.ends_with("\n\n") {
            let chunk = within("the first event", stream.chunk()).await;
            let chunk = chunk.unwrap().expect("the stream ended");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let path = text.lines().find_map(|line| line.strip_prefix("data: "));
        let endpoint = format!("{server}{}", path.unwrap());
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move {
            while let Ok(Some(_)) = stream.chunk().await {}
            let _ = end.send(());
        });
        Sse {
            http: Client::new(),
            token: token.map(str::to_owned),
            endpoint,
            ended,
        }
    }

    pub async fn post(&self, message: &Value) -> Response {
        let mut request = self.http.post(&self.endpoint).body(message.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        within("an answer", request.send()).await.unwrap()
    }
}
