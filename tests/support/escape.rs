//! Runs the guests of `tests/guests/escape*` in a server, and checks what the agent
//! sees.

use std::fs;

use serde_json::{Value, json};

use super::guests;
use super::mcp::{Client, Place, text_of};

pub struct Escape {
    pub place: Place,
    pub client: Client,
}

impl Escape {
    /// Creates a server that has loaded the C guest, without grants.
    pub async fn new() -> Self {
        Escape::of(&guests::component("escape")).await
    }

    /// Like [`Escape::new`], with another guest.
    pub async fn of(component: &[u8]) -> Self {
        let place = Place::new();
        let client = place.stdio().await;
        let escape = Escape { place, client };
        escape.load("escape", component).await;
        escape
    }

    /// Creates a server with the C guest and limits, such as `{time: 1s}`.
    pub async fn limited(limits: &str) -> Self {
        let escape = Escape::new().await;
        escape.limit(limits);
        escape
    }

    pub fn limit(&self, limits: &str) {
        self.permit("escape", &format!("resources: {{limits: {limits}}}"));
    }

    pub async fn load(&self, id: &str, component: &[u8]) {
        let file = self.place.path(&format!("{id}.wasm"));
        fs::write(&file, component).unwrap();
        let uri = format!("file://{}", file.display());
        self.client.load(&uri).await;
    }

    /// Sets a component's permissions.
    pub fn permit(&self, id: &str, permissions: &str) {
        let path = self
            .place
            .path(&format!("root/components/{id}/{id}.policy.yaml"));
        let policy = format!("version: \"1.0\"\npermissions: {{{permissions}}}\n");
        fs::write(path, policy).unwrap();
    }

    /// Returns the result of a call.
    pub async fn returns(&self, tool: &str, arguments: Value) -> Value {
        let result = self.client.call(tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{tool}: {result:?}");
        result.structured_content.unwrap()["result"].clone()
    }

    /// Returns the error of a failing call; checks that the server still works.
    pub async fn fails(&self, tool: &str, arguments: Value) -> Value {
        let result = self.client.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{tool}");
        self.serves().await;
        text_of(&result)
    }

    /// Returns the error of a call that never ends; checks that the server still works.
    pub async fn never_ends(&self, tool: &str) -> Value {
        self.limit("{time: 400ms}");
        let result = self.client.call(tool, json!({})).await;
        assert_eq!(result.is_error, Some(true), "{tool}");
        // On a busy machine even a call that ends may take longer than that.
        self.permit("escape", "");
        self.serves().await;
        text_of(&result)
    }

    /// As [`Escape::fails`], and checks that this limit caused the error.
    pub async fn meets(&self, tool: &str, arguments: Value, code: &str, message: &str) {
        let told = self.fails(tool, arguments).await;
        assert_eq!(told["code"], code, "{tool}: {told}");
        assert_eq!(told["message"], message, "{tool}: {told}");
        assert!(told["hint"].is_string(), "{tool}: {told}");
    }

    pub async fn serves(&self) {
        let sum = self.returns("add", json!({ "a": 2, "b": 3 })).await;
        assert_eq!(sum, 5);
    }
}
