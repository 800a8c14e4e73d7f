//! The guest of `tests/guests/network`, with its grants.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use wassette::policy::Policy;
use wassette::runtime::{
    Called, DenialKind, Environment, NetworkOptions, Program, Resolve, Returned, RuntimeOptions,
    Sandbox, SandboxOptions,
};

use super::program::{Installed, export};

pub const COMPONENT: &[u8] = include_bytes!("../guests/network/network.wasm");

pub struct NetworkGuest {
    installed: Installed,
    program: Arc<Program>,
    sandbox: Sandbox,
}

/// Rules of a policy, such as `host: a.example` or `cidr: 10.0.0.0/8`.
#[derive(Clone, Copy, Default)]
pub struct Rules<'a> {
    pub allow: &'a [&'a str],
    pub deny: &'a [&'a str],
}

impl NetworkGuest {
    pub fn new(rules: Rules<'_>) -> Self {
        NetworkGuest::with(rules, NetworkOptions::default())
    }

    pub fn with_resolver(rules: Rules<'_>, resolver: Arc<dyn Resolve>) -> Self {
        let options = NetworkOptions {
            resolver,
            ..NetworkOptions::default()
        };
        NetworkGuest::with(rules, options)
    }

    pub fn with(rules: Rules<'_>, network: NetworkOptions) -> Self {
        let installed = Installed::of(COMPONENT);
        let options = RuntimeOptions {
            network,
            ..installed.options()
        };
        NetworkGuest {
            program: installed.program_with(options),
            sandbox: sandbox(rules),
            installed,
        }
    }

    /// Returns the same guest, whose calls may take up to `limit`.
    pub fn timed(self, limit: Duration) -> Self {
        NetworkGuest {
            program: self.installed.timed(limit),
            ..self
        }
    }

    /// Replaces the component's grants.
    pub fn granted(&mut self, rules: Rules<'_>) -> &Self {
        self.sandbox = sandbox(rules);
        self
    }

    pub async fn call(&self, function: &str, arguments: Value) -> Called {
        self.call_in(&self.sandbox, function, arguments).await
    }

    pub async fn call_in(&self, sandbox: &Sandbox, function: &str, arguments: Value) -> Called {
        let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap();
        let export = export(function);
        self.program
            .call(&export, arguments, sandbox, &CancellationToken::new())
            .await
    }

    /// Returns the result of a function, either a value or an error value.
    pub async fn ask(&self, function: &str, arguments: Value) -> Tried {
        let called = self.call(function, arguments).await;
        let answer = match called.outcome {
            Ok(Returned::Ok(value) | Returned::Err(value)) => value,
            Err(error) => panic!("{function}: {error:?}"),
        };
        let denials = called.denials.into_iter();
        Tried {
            answer,
            denials: denials
                .map(|denial| (denial.kind, denial.what.raw().to_owned()))
                .collect(),
        }
    }

    pub async fn get(&self, url: &str) -> Tried {
        self.ask("request", json!({ "message": message(url) }))
            .await
    }
}

/// The outcome of an attempt by the guest.
#[derive(Debug)]
pub struct Tried {
    pub answer: Value,
    pub denials: Vec<(DenialKind, String)>,
}

impl Tried {
    /// Returns the error code of a failed request.
    pub fn error(&self) -> &str {
        self.answer["tag"].as_str().unwrap_or_default()
    }

    /// Returns the only denial.
    pub fn denied(&self) -> (DenialKind, &str) {
        assert_eq!(self.denials.len(), 1, "{self:?}");
        (self.denials[0].0, &self.denials[0].1)
    }
}

/// Returns a GET request, in the parts that WASI takes.
pub fn message(url: &str) -> Value {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let scheme = match scheme {
        "http" => json!({"tag": "HTTP"}),
        "https" => json!({"tag": "HTTPS"}),
        other => json!({"tag": "other", "val": other}),
    };
    json!({
        "method": "GET",
        "scheme": scheme,
        "authority": rest[..end],
        "path": rest[end..],
        "headers": [],
        "body": "",
    })
}

/// Returns a socket address in WASI's form.
pub fn socket(address: impl Into<IpAddr>, port: u16) -> Value {
    match address.into() {
        IpAddr::V4(address) => {
            json!({"tag": "ipv4", "val": {"port": port, "address": address.octets()}})
        }
        IpAddr::V6(address) => json!({"tag": "ipv6", "val": {
            "port": port,
            "flow-info": 0,
            "address": address.segments(),
            "scope-id": 0,
        }}),
    }
}

fn sandbox(rules: Rules<'_>) -> Sandbox {
    let list = |rules: &[&str]| -> Vec<Value> {
        let read = |rule: &&str| {
            let (key, value) = rule.split_once(": ").expect("`key: value`");
            json!({ key: value })
        };
        rules.iter().map(read).collect()
    };
    let network = json!({"allow": list(rules.allow), "deny": list(rules.deny)});
    let policy = json!({"version": "1.0", "permissions": {"network": network}});
    let policy = Policy::parse(&policy.to_string()).expect("a policy");
    Sandbox::new(SandboxOptions {
        policy: &policy,
        working_directory: Path::new("/"),
        variables: Arc::new(Environment::default()),
    })
}
