//! A relay in front of a real registry, which records the credentials of requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::registry::client;

/// Forwards every request unchanged; ends when dropped.
pub struct Relay {
    address: SocketAddr,
    authorizations: Arc<Mutex<Vec<Option<String>>>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// `target` is `host:port`.
    pub async fn to(target: &str) -> Self {
        let authorizations = Arc::new(Mutex::new(Vec::new()));
        let (client, notes, target) = (client(), authorizations.clone(), target.to_owned());
        let pass = move |request: Request| {
            let value = request.headers().get(header::AUTHORIZATION);
            let value = value.map(|value| value.to_str().expect("text").to_owned());
            notes.lock().expect("no panic").push(value);
            let url = format!("http://{target}{}", request.uri());
            let mut headers = request.headers().clone();
            headers.remove(header::HOST);
            let sent = client
                .request(request.method().clone(), url)
                .headers(headers);
            async move {
                let answer = sent.send().await.expect("the registry answers");
                let mut response = Response::builder().status(answer.status());
                *response.headers_mut().expect("no error yet") = answer.headers().clone();
                let body = Body::from_stream(answer.bytes_stream());
                response.body(body).expect("a response")
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(pass);
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Relay {
            address,
            authorizations,
            task,
        }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Returns the `Authorization` header of each request so far.
    pub fn authorizations(&self) -> Vec<Option<String>> {
        self.authorizations.lock().expect("no panic").clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
