//! HTTP+SSE (2024-11-05), spoken by hand.

use reqwest::{Client as Http, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::mcp::{CALC, HttpServer, PATIENCE, Place, install_tls};
use crate::support::wait::within;

/// One event stream and the URL to post to.
pub struct Session {
    http: Http,
    stream: Response,
    buffer: String,
    endpoint: String,
}

impl Session {
    pub async fn open(server: &HttpServer) -> Self {
        install_tls();
        let http = Http::new();
        let stream = http.get(server.at("/sse")).send().await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        let mut session = Session {
            http,
            stream,
            buffer: String::new(),
            endpoint: String::new(),
        };
        let (event, data) = session.event().await;
        assert_eq!(event, "endpoint");
        session.endpoint = server.at(&data);
        session
    }

    /// The name and data of the next event; comments are skipped.
    async fn event(&mut self) -> (String, String) {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines();
                    lines
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::to_owned)
                };
                let parsed = (field("event: "), field("data: "));
                self.buffer = rest.to_owned();
                if let (Some(event), Some(data)) = parsed {
                    return (event, data);
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.stream.chunk()).await;
            let chunk = chunk.expect("no event").unwrap().expect("the stream ended");
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn message(&mut self) -> Value {
        let (event, data) = self.event().await;
        assert_eq!(event, "message");
        serde_json::from_str(&data).unwrap()
    }

    async fn post(&self, message: Value) -> StatusCode {
        post(&self.http, &self.endpoint, message).await
    }

    /// The response to a request, and the other messages that arrived meanwhile.
    pub async fn request(&mut self, id: u32, method: &str, params: Value) -> (Value, Vec<Value>) {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        assert_eq!(self.post(request).await, StatusCode::ACCEPTED);
        let mut others = Vec::new();
        loop {
            let message = self.message().await;
            if message["id"] == id {
                return (message["result"].clone(), others);
            }
            others.push(message);
        }
    }

    pub async fn initialize(&mut self) -> Value {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({
            "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": client
        });
        let (result, _) = self.request(1, "initialize", params).await;
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.post(initialized).await, StatusCode::ACCEPTED);
        result
    }
}

async fn post(http: &Http, url: &str, message: Value) -> StatusCode {
    let request = http
        .post(url)
        .header("content-type", "application/json")
        .body(message.to_string());
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn a_session_loads_and_calls() {
    let place = Place::new();
    let server = place.http(&[]).await;
    let mut session = Session::open(&server).await;
    let info = session.initialize().await;
    assert_eq!(info["protocolVersion"], "2024-11-05");
    assert_eq!(info["serverInfo"]["name"], "wassette");

    let uri = place.component("calc.wat", CALC);
    let load = json!({
        "name": "load-component",
        "arguments": { "uri": uri },
        "_meta": { "progressToken": "t" },
    });
    let (loaded, mut others) = session.request(2, "tools/call", load).await;
    assert_eq!(loaded["isError"], false, "{loaded}");
    let add = json!({"name": "add", "arguments": {"a": 20, "b": 22}});
    let (sum, more) = session.request(3, "tools/call", add).await;
    assert_eq!(sum["structuredContent"]["result"], 42);
    others.extend(more);
    let changed = |message: &Value| message["method"] == "notifications/tools/list_changed";
    while !others.iter().any(changed) {
        others.push(session.message().await);
    }
    let progress: Vec<f64> = others
        .iter()
        .filter(|message| message["params"]["progressToken"] == "t")
        .filter_map(|message| message["params"]["progress"].as_f64())
        .collect();
    assert!(!progress.is_empty());
    assert!(progress.is_sorted_by(|a, b| a < b), "{progress:?}");
}

#[tokio::test]
async fn message_urls_are_secret_and_die_with_the_stream() {
    let place = Place::new();
    let server = place.http(&[]).await;
    let (one, two) = (Session::open(&server).await, Session::open(&server).await);
    assert_ne!(one.endpoint, two.endpoint);
    assert!(one.endpoint.rsplit('/').next().unwrap().len() >= 32);

    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let (http, endpoint) = (one.http.clone(), one.endpoint.clone());
    drop(one);
    let gone =
        async { while post(&http, &endpoint, ping.clone()).await != StatusCode::NOT_FOUND {} };
    within("the session ends", gone).await;
    assert_eq!(two.post(ping).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let place = Place::new();
    let server = place.http(&[]).await;
    let session = Session::open(&server).await;
    assert_eq!(session.post(json!("hello")).await, StatusCode::BAD_REQUEST);
    let stray = post(&session.http, &server.at("/message/none"), json!({})).await;
    assert_eq!(stray, StatusCode::NOT_FOUND);
}
