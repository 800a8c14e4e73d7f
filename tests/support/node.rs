//! A root that loads from registries and shares its components.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use reqwest::{Client, Method, Response};
use serde_json::Value;

use super::mcp::{HttpServer, Place, install_tls};

pub struct Node {
    pub place: Place,
}

impl Node {
    pub fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.path("root")).expect("a directory");
        Node { place }
    }

    /// Creates a node that only pulls from this mirror, for every registry.
    pub fn behind(mirror: &str) -> Self {
        let node = Node::new();
        let config = format!(
            "[[registry.mirrors._default]]\nhost = '{mirror}'\ncapabilities = ['pull', 'resolve']\n\
             [network]\nretry_base_ms = 1\n"
        );
        fs::write(node.place.path("root/config.toml"), config).expect("written");
        node
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, None).await
    }

    /// `credentials` is the value of WASSETTE_REGISTRY_AUTH.
    pub async fn run_with(&self, args: &[&str], credentials: Option<&str>) -> Output {
        let mut command = self.place.wassette(args);
        command.env("HOME", self.place.path(""));
        command.env_remove("WASSETTE_REGISTRY_AUTH");
        if let Some(credentials) = credentials {
            command.env("WASSETTE_REGISTRY_AUTH", credentials);
        }
        command.output().await.expect("the program runs")
    }

    pub async fn load(&self, uri: &str) -> Value {
        self.load_with(uri, None).await
    }

    pub async fn load_with(&self, uri: &str, credentials: Option<&str>) -> Value {
        let args = ["load", "--uri", uri, "-o", "json"];
        let output = self.run_with(&args, credentials).await;
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{uri}: {words}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub async fn unload(&self, id: &str) {
        let output = self.run(&["unload", id]).await;
        assert!(output.status.success(), "{output:?}");
    }

    pub async fn share(&self) -> HttpServer {
        self.place.http(&["--share", "-v"]).await
    }

    /// Returns the directory of a component.
    pub fn component(&self, id: &str) -> PathBuf {
        self.place.path("root/components").join(id)
    }
}

/// `host:port`.
pub fn address(server: &HttpServer) -> &str {
    server.url.trim_start_matches("http://")
}

/// Sends a request for a path under `/v2/` with these headers.
pub async fn ask(
    server: &HttpServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Response {
    install_tls();
    let url = server.at(&format!("/v2/{path}"));
    let mut request = Client::new().request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

pub async fn get(server: &HttpServer, path: &str) -> Response {
    ask(server, Method::GET, path, &[]).await
}

/// Returns the status of a refusal, and the error code in its body.
pub async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].clone();
    assert_eq!(kind, "application/json");
    let text = response.text().await.expect("a body");
    let body: Value = serde_json::from_str(&text).expect(&text);
    let code = body["errors"][0]["code"].as_str().expect("a code");
    (status, code.to_owned())
}
