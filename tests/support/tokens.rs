//! A token server for a real registry: it issues ES256 tokens, signed with a key that
//! is made for the test.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, body};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::certificates::Certificates;
use super::tls::{Clients, SecureServer};

const ISSUER: &str = "tests";
const SERVICE: &str = "registry of the tests";
pub const USER: &str = "alice";
pub const SECRET: &str = "s3cret-of-alice";
pub const REFRESH: &str = "r3fresh-of-alice";

/// A received request for a token.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub fields: HashMap<String, String>,
    pub authorization: Option<String>,
}

/// Grants `alice` everything, and others what is under `public/`.
pub struct TokenServer {
    /// The URL where clients get tokens.
    realm: String,
    shared: Arc<Shared>,
    dir: TempDir,
    _server: Server,
}

enum Server {
    Plain(JoinHandle<()>),
    Secure { _server: SecureServer },
}

struct Shared {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
    asked: Mutex<Vec<Asked>>,
}

impl TokenServer {
    pub async fn start() -> Self {
        let (dir, shared) = shared();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        TokenServer {
            realm: format!("http://{address}/token"),
            shared,
            dir,
            _server: Server::Plain(task),
        }
    }

    /// Starts the server with TLS, for clients with a certificate.
    pub async fn secure(certificates: &Certificates) -> Self {
        let (dir, shared) = shared();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = SecureServer::start(certificates, Clients::Known, router).await;
        TokenServer {
            realm: server.url("/token"),
            shared,
            dir,
            _server: Server::Secure { _server: server },
        }
    }

    /// Configuration of a registry that uses this token server.
    pub fn registry_config(&self) -> String {
        let bundle = self.dir.path().join("cert.pem");
        format!(
            "auth: {{token: {{realm: '{}', service: '{SERVICE}', issuer: {ISSUER}, \
             rootcertbundle: {}}}}}\n",
            self.realm,
            bundle.display()
        )
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no panic").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Server::Plain(task) = self {
            task.abort();
        }
    }
}

fn shared() -> (TempDir, Arc<Shared>) {
    let dir = TempDir::new().expect("a temporary directory");
    let (key, certificate) = signing_key(dir.path());
    let shared = Shared {
        key,
        certificate,
        asked: Mutex::default(),
    };
    (dir, Arc::new(shared))
}

/// Returns a key, and a certificate for it.
fn signing_key(dir: &Path) -> (EcdsaKeyPair, Vec<u8>) {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).expect("a key");
    std::fs::write(dir.join("key.der"), document.as_ref()).expect("written");
    for args in [
        "pkey -inform DER -in key.der -out key.pem",
        "req -new -x509 -key key.pem -subj /CN=tests -days 2 -out cert.pem",
        "x509 -in cert.pem -outform DER -out cert.der",
    ] {
        let ended = Command::new("openssl")
            .args(args.split(' '))
            .current_dir(dir)
            .output()
            .expect("openssl; install it: apt-get install -y openssl");
        assert!(ended.status.success(), "{ended:?}");
    }
    let certificate = std::fs::read(dir.join("cert.der")).expect("a certificate");
    (key, certificate)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body::to_bytes(body, 100_000).await.expect("a body");
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let fields = url::form_urlencoded::parse(query).chain(url::form_urlencoded::parse(&body));
    let authorization = parts.headers.get("authorization");
    let asked = Asked {
        method: parts.method,
        fields: fields.map(|(k, v)| (k.into(), v.into())).collect(),
        authorization: authorization.map(|value| value.to_str().expect("text").to_owned()),
    };
    shared.asked.lock().expect("no panic").push(asked.clone());
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{SECRET}")));
    let is_alice = match asked.fields.get("grant_type").map(String::as_str) {
        Some("refresh_token") if asked.fields["refresh_token"] == REFRESH => true,
        Some(_) => return StatusCode::UNAUTHORIZED.into_response(),
        None => match &asked.authorization {
            Some(header) if *header != basic => return StatusCode::UNAUTHORIZED.into_response(),
            header => header.is_some(),
        },
    };
    let scope = asked.fields.get("scope").map(String::as_str);
    let access = scope.and_then(|scope| access(scope, is_alice));
    let token = shared.sign(&claims(access));
    Json(json!({ "token": token, "expires_in": 300 })).into_response()
}

/// Returns the access that a scope requests, if it is granted.
fn access(scope: &str, is_alice: bool) -> Option<Value> {
    let mut parts = scope.split(':');
    let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
    let actions: Vec<&str> = actions.split(',').collect();
    let granted = is_alice || name.starts_with("public/");
    granted.then(|| json!({ "type": kind, "name": name, "actions": actions }))
}

fn claims(access: Option<Value>) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a clock").as_secs();
    json!({
        "iss": ISSUER,
        "sub": "",
        "aud": SERVICE,
        "nbf": now - 10,
        "iat": now - 10,
        "exp": now + 300,
        "jti": now.to_string(),
        "access": access.into_iter().collect::<Vec<_>>(),
    })
}

impl Shared {
    fn sign(&self, claims: &Value) -> String {
        let header = json!({
            "typ": "JWT",
            "alg": "ES256",
            "x5c": [STANDARD.encode(&self.certificate)],
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes());
        let signature = signature.expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
