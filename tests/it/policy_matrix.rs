//! Every key of the policy language, allowed and denied, as a component
//! observes it. The schema tells which keys there are: a new one without its
//! rows fails here.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};
use wassette::error::Diagnose;
use wassette::policy::Policy;
use wassette::runtime::{Called, Program, Returned, Sandbox, SandboxOptions};

use crate::support::cli::Cli;
use crate::support::components_rt::{MEMORY, OUTPUT, SPIN, TELLTALE};
use crate::support::dns::Dns;
use crate::support::files::Files;
use crate::support::network_guest::{NetworkGuest, Rules, message, socket};
use crate::support::program::{Installed, export};
use crate::support::web::Web;

/// What a component tries.
#[derive(Clone, Copy, Debug)]
enum Probe {
    /// An HTTP request.
    Get(&'static str),
    LookUp(&'static str),
    /// A TCP connection to the web server, at this address.
    Tcp([u8; 4]),
    Read(&'static str),
    Write(&'static str),
    /// To see this variable with this value.
    Variable(&'static str, &'static str),
    /// To have seven megabytes.
    Memory,
    /// To compute for half a second and not be held back.
    Cpu,
    /// To wait 50 ms for an answer.
    Time,
    /// To run four times at once.
    Instances,
    /// To return a kilobyte.
    Output,
}

use Probe::*;

/// What a policy's text is about, and what it makes of a probe.
type Row = (&'static str, &'static str, Probe, Verdict);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Allowed,
    Denied,
}

use Verdict::{Allowed, Denied};

impl Verdict {
    fn when(allowed: bool) -> Self {
        if allowed { Allowed } else { Denied }
    }
}

/// Keys that grant nothing.
const WITHOUT_MEANING: [&str; 3] = ["$schema", "description", "version"];

const HOST: &str = "permissions.network.allow.host";
const CIDR: &str = "permissions.network.allow.cidr";
const NO_HOST: &str = "permissions.network.deny.host";
const NO_CIDR: &str = "permissions.network.deny.cidr";

/// `PORT` is the web server's, `ROOT` the directory of files.
#[rustfmt::skip]
const NETWORK: &[Row] = &[
    // An exact host, by request and by lookup.
    (HOST, "allow: [{host: A.Test}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Allowed),
    (HOST, "allow: [{host: A.Test}, {cidr: 127.0.0.0/8}]", LookUp("a.test"), Allowed),
    (HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}]", Get("http://b.a.test:PORT/"), Denied),
    (HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}]", LookUp("b.a.test"), Denied),
    (HOST, "allow: [{host: a.test}]", Get("http://a.test:PORT/"), Denied),
    (HOST, "allow: [{host: bücher.test}, {cidr: 127.0.0.0/8}]", Get("http://xn--bcher-kva.test:PORT/"), Allowed),
    (HOST, "allow: [{host: bucher.test}, {cidr: 127.0.0.0/8}]", Get("http://xn--bcher-kva.test:PORT/"), Denied),
    // A literal address.
    (HOST, "allow: [{host: 127.0.0.1}]", Get("http://127.0.0.1:PORT/"), Allowed),
    (HOST, "allow: [{host: 127.0.0.2}]", Get("http://127.0.0.1:PORT/"), Denied),
    // A leading wildcard.
    (HOST, "allow: [{host: '*.a.test'}, {cidr: 127.0.0.0/8}]", Get("http://c.b.a.test:PORT/"), Allowed),
    (HOST, "allow: [{host: '*.a.test'}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Denied),
    (HOST, "allow: [{host: '*.a.test'}, {cidr: 127.0.0.0/8}]", LookUp("xa.test"), Denied),
    // A scheme and a port.
    (HOST, "allow: [{host: 'http://a.test:PORT'}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Allowed),
    (HOST, "allow: [{host: 'https://a.test:PORT'}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Denied),
    (HOST, "allow: [{host: 'a.test:1'}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Denied),
    // A network: addresses, and sockets.
    (CIDR, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Allowed),
    (CIDR, "allow: [{host: a.test}, {cidr: 10.0.0.0/8}]", Get("http://a.test:PORT/"), Denied),
    (CIDR, "allow: [{cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Denied),
    (CIDR, "allow: [{cidr: '127.0.0.0/8:PORT'}]", Tcp([127, 0, 0, 1]), Allowed),
    (CIDR, "allow: [{cidr: '127.0.0.0/8:1'}]", Tcp([127, 0, 0, 1]), Denied),
    (CIDR, "allow: [{cidr: 127.0.0.2/31}]", Tcp([127, 0, 0, 1]), Denied),
    // Denies.
    (NO_HOST, "allow: [{host: '*.test'}, {cidr: 127.0.0.0/8}], deny: [{host: b.a.test}]", Get("http://a.test:PORT/"), Allowed),
    (NO_HOST, "allow: [{host: '*.test'}, {cidr: 127.0.0.0/8}], deny: [{host: '*.a.test'}]", LookUp("a.test"), Allowed),
    (NO_HOST, "allow: [{host: '*.test'}, {cidr: 127.0.0.0/8}], deny: [{host: b.a.test}]", Get("http://b.a.test:PORT/"), Denied),
    (NO_HOST, "allow: [{host: b.a.test}, {cidr: 127.0.0.0/8}], deny: [{host: '*.a.test'}]", LookUp("b.a.test"), Denied),
    (NO_CIDR, "allow: [{cidr: 127.0.0.0/8}], deny: [{cidr: 127.0.0.2/32}]", Tcp([127, 0, 0, 1]), Allowed),
    (NO_CIDR, "allow: [{cidr: 127.0.0.0/8}], deny: [{cidr: 127.0.0.1/32}]", Tcp([127, 0, 0, 1]), Denied),
    (NO_CIDR, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{cidr: 127.0.0.1/32}]", Get("http://a.test:PORT/"), Denied),
];

const URI: &str = "permissions.storage.allow.uri";
const ACCESS: &str = "permissions.storage.allow.access";
const NO_URI: &str = "permissions.storage.deny.uri";
const NO_ACCESS: &str = "permissions.storage.deny.access";

#[rustfmt::skip]
const STORAGE: &[Row] = &[
    (URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Read("in/d/file"), Allowed),
    (URI, "allow: [{uri: 'fs://in/**', access: [read]}]", Read("in/d/file"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Read("out"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/in/*.txt', access: [read]}]", Read("in/a.txt"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/*.txt', access: [read]}]", Read("in/a.md"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/in/*', access: [read]}]", Read("in/d/file"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/in/a.txt', access: [read]}]", Read("in/a.txt"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/a.txt', access: [read]}]", Read("in/a.md"), Denied),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Read("in/a.txt"), Allowed),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Write("in/a.txt"), Denied),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [write]}]", Write("in/a.txt"), Allowed),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [write]}]", Read("in/a.txt"), Denied),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [read, write]}]", Write("in/d/new"), Allowed),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}], deny: [{uri: 'fs://ROOT/in/d/**'}]", Read("in/a.txt"), Allowed),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}], deny: [{uri: 'fs://ROOT/in/d/**'}]", Read("in/d/file"), Denied),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/d/file', access: [read]}], deny: [{uri: 'fs://ROOT/in/**'}]", Read("in/d/file"), Denied),
    (NO_ACCESS, "allow: [{uri: 'fs://in/**', access: [read, write]}], deny: [{uri: 'fs://in/**', access: [write]}]", Read("in/a.txt"), Allowed),
    (NO_ACCESS, "allow: [{uri: 'fs://in/**', access: [read, write]}], deny: [{uri: 'fs://in/**', access: [write]}]", Write("in/a.txt"), Denied),
];

const KEY: &str = "permissions.environment.allow.key";
const VALUE: &str = "permissions.environment.allow.value";
const VALUE_FROM: &str = "permissions.environment.allow.value_from";

/// The server has `REGION` and `CITY`, the component the secret `TOKEN`.
#[rustfmt::skip]
const ENVIRONMENT: &[Row] = &[
    (KEY, "allow: [{key: CITY}]", Variable("CITY", "of the server"), Allowed),
    (KEY, "allow: [{key: CIT}, {key: city}]", Variable("CITY", "of the server"), Denied),
    (KEY, "allow: [{key: TOKEN}]", Variable("TOKEN", "[redacted]"), Allowed),
    (VALUE, "allow: [{key: REGION, value: eu}]", Variable("REGION", "eu"), Allowed),
    (VALUE, "allow: [{key: REGION, value: eu}]", Variable("REGION", "of the server"), Denied),
    (VALUE_FROM, "allow: [{key: TOKEN, value_from: secret}]", Variable("TOKEN", "[redacted]"), Allowed),
    (VALUE_FROM, "allow: [{key: CITY, value_from: secret}]", Variable("CITY", "of the server"), Denied),
];

#[rustfmt::skip]
const LIMITS: &[Row] = &[
    ("permissions.resources.limits.memory", "memory: 16Mi", Memory, Allowed),
    ("permissions.resources.limits.memory", "memory: 1Mi", Memory, Denied),
    ("permissions.resources.limits.cpu", "cpu: 1, time: 500ms", Cpu, Allowed),
    ("permissions.resources.limits.cpu", "cpu: 50m, time: 500ms", Cpu, Denied),
    ("permissions.resources.limits.time", "time: 1m", Time, Allowed),
    ("permissions.resources.limits.time", "time: 10ms", Time, Denied),
    ("permissions.resources.limits.instances", "instances: 4", Instances, Allowed),
    ("permissions.resources.limits.instances", "instances: 1", Instances, Denied),
    ("permissions.resources.limits.output", "output: 4Ki", Output, Allowed),
    ("permissions.resources.limits.output", "output: 512", Output, Denied),
];

#[test]
fn every_key_of_the_schema_has_its_rows() {
    let schema = include_str!("../../schemas/policy-1.0.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut keys = BTreeSet::new();
    leaves(&schema, &schema, "", &mut keys);
    let rows = [NETWORK, STORAGE, ENVIRONMENT, LIMITS].concat();
    for verdict in [Allowed, Denied] {
        let mut covered: BTreeSet<String> = WITHOUT_MEANING.map(str::to_owned).into();
        let rows = rows.iter().filter(|row| row.3 == verdict);
        covered.extend(rows.map(|row| row.0.to_owned()));
        assert_eq!(keys, covered, "{verdict:?}");
    }
}

/// The keys of a schema that have no keys of their own, each with its way.
fn leaves(root: &Value, schema: &Value, way: &str, keys: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let definition = root.pointer(&reference[1..]).expect("a definition");
        return leaves(root, definition, way, keys);
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (key, inner) in properties {
            let way = if way.is_empty() {
                key.clone()
            } else {
                format!("{way}.{key}")
            };
            leaves(root, inner, &way, keys);
        }
    } else if schema["items"]["enum"].is_null() && schema.get("items").is_some() {
        leaves(root, &schema["items"], way, keys);
    } else {
        keys.insert(way.to_owned());
    }
}

/// Sees that a row's text has its key, and gives the whole policy's.
fn policy_of(section: &str, row: &Row) -> String {
    let (key, text, ..) = row;
    let key = key.rsplit('.').next().expect("a key");
    assert!(text.contains(&format!("{key}: ")), "{row:?}");
    format!(
        "version: \"1.0\"\ndescription: |\n  allow: everything\n\
         permissions:\n  {section}: {{{text}}}\n"
    )
}

fn sandbox(text: &str, working_directory: &Path) -> Sandbox {
    Sandbox::new(SandboxOptions {
        policy: &Policy::parse(text).unwrap(),
        working_directory,
        environment: Vec::new(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn network() {
    let web = Web::start().await;
    let here = &[[127, 0, 0, 1]][..];
    let dns = Dns::new([
        ("a.test", here),
        ("b.a.test", here),
        ("c.b.a.test", here),
        ("xa.test", here),
        ("xn--bcher-kva.test", here),
    ]);
    let guest = NetworkGuest::with_resolver(Rules::default(), dns);
    let port = web.port.to_string();
    for row in NETWORK {
        let policy = policy_of("network", row).replace("PORT", &port);
        let (_, _, probe, expected) = row;
        let (function, arguments) = match probe {
            Get(url) => {
                let message = message(&url.replace("PORT", &port));
                ("request", json!({ "message": message }))
            }
            LookUp(name) => ("look-up", json!({ "name": name })),
            Tcp(address) => (
                "tcp",
                json!({
                    "remote": socket(*address, web.port),
                    "text": "GET / HTTP/1.1\r\n\r\n",
                }),
            ),
            other => unreachable!("{other:?}"),
        };
        let before = web.connections();
        let sandbox = sandbox(&policy, Path::new("/"));
        let called = guest.call_in(&sandbox, function, arguments).await;
        let succeeded = matches!(called.outcome, Ok(Returned::Ok(_)));
        assert_eq!(Verdict::when(succeeded), *expected, "{row:?} {called:?}");
        assert_eq!(called.denials.is_empty(), succeeded, "{row:?} {called:?}");
        let connects = succeeded && !matches!(probe, LookUp(_));
        assert_eq!(web.connections() - before, usize::from(connects), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage() {
    let files = Files::new();
    for row in STORAGE {
        for path in ["in/a.txt", "in/a.md", "in/d/file", "out"] {
            files.write(path, "text");
        }
        let root = files.path("").canonicalize().unwrap();
        let name = root.to_str().unwrap().trim_end_matches('/');
        let policy = policy_of("storage", row).replace("ROOT", name);
        let (_, _, probe, expected) = row;
        let sandbox = sandbox(&policy, &root);
        // Whatever the guest starts with is one of these, or lies below.
        let mut answers = Vec::new();
        for start in ["$", "$/in", "in", "$/in/d", "$/in/a.txt"] {
            let step = match probe {
                Read(path) => format!("read {start}:$/{path}"),
                Write(path) => format!("write {start}:$/{path} guest"),
                other => unreachable!("{other:?}"),
            };
            answers.extend(files.run(&sandbox, &[&step]).await.0);
        }
        answers.retain(|answer| answer != "error Bad file descriptor");
        assert!(!answers.is_empty(), "{row:?}: the guest starts nowhere");
        let ok = answers.iter().all(|answer| answer.starts_with("ok"));
        assert_eq!(Verdict::when(ok), *expected, "{row:?} {answers:?}");
        if let Write(path) = probe {
            let written = files.path(path).exists() && files.read(path) == "guest";
            assert_eq!(written, ok, "{row:?}");
        }
    }
}

#[test]
fn environment() {
    let cli = Cli::new();
    cli.load(&cli.file("telltale.wat", TELLTALE));
    let set = cli.run(["secret", "set", "telltale", "TOKEN=hunter22-and-more"]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    let path = cli.root().join("components/telltale/telltale.policy.yaml");
    for row in ENVIRONMENT {
        std::fs::write(&path, policy_of("environment", row)).unwrap();
        let (_, _, probe, expected) = row;
        let Variable(key, value) = probe else {
            unreachable!("{probe:?}")
        };
        let mut command = cli.command();
        let server = ["REGION", "CITY"].map(|key| (key, "of the server"));
        command.envs(server).args(["call", "env", "-o", "json"]);
        let output = command.output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let seen = answer["result"].as_array().expect("variables");
        let found = seen.contains(&json!([key, value]));
        assert_eq!(Verdict::when(found), *expected, "{row:?} {answer}");
    }
}

/// One program for each limit.
struct Limited {
    memory: Arc<Program>,
    output: Arc<Program>,
    spin: Arc<Program>,
    network: NetworkGuest,
    web: Web,
}

impl Limited {
    async fn tries(&self, probe: Probe, policy: &str) -> Verdict {
        let sandbox = sandbox(policy, Path::new("/"));
        let answer = async |program: &Program, function, arguments: Value| {
            let arguments = serde_json::from_value(arguments).unwrap();
            let export = export(function);
            program.call(&export, &arguments, &sandbox).await.outcome
        };
        match probe {
            Memory => {
                let got = answer(&self.memory, "modest", json!({ "pages": 112 })).await;
                Verdict::when(got.unwrap() == Returned::Ok(json!(1)))
            }
            Output => {
                let got = answer(&self.output, "repeat", json!({ "n": 1024 })).await;
                ended(got, "output-limit")
            }
            Cpu => {
                let stopped = answer(&self.spin, "spin", json!({})).await.unwrap_err();
                assert_eq!(stopped.code(), "call-timeout");
                let hint = stopped.hint().expect("a hint");
                Verdict::when(!hint.contains("held it back"))
            }
            Time => {
                let called = self.pauses(&sandbox).await;
                ended(called.outcome, "call-timeout")
            }
            Instances => {
                self.web.seen.most_open.store(0, SeqCst);
                let pauses = || self.pauses(&sandbox);
                let all = tokio::join!(pauses(), pauses(), pauses(), pauses());
                for called in [all.0, all.1, all.2, all.3] {
                    assert!(called.outcome.is_ok(), "{called:?}");
                }
                Verdict::when(self.web.seen.most_open.load(SeqCst) > 1)
            }
            other => unreachable!("{other:?}"),
        }
    }

    async fn pauses(&self, sandbox: &Sandbox) -> Called {
        let message = message(&format!("http://localhost:{}/pause", self.web.port));
        let arguments = json!({ "message": message });
        self.network.call_in(sandbox, "request", arguments).await
    }
}

/// Whether a call ended well, or at this limit.
fn ended(outcome: Result<Returned, impl Diagnose>, limit: &str) -> Verdict {
    if let Err(error) = &outcome {
        assert_eq!(error.code(), limit);
    }
    Verdict::when(outcome.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn limits() {
    let (memory, output) = (Installed::new(MEMORY), Installed::new(OUTPUT));
    let spin = Installed::new(SPIN);
    let limited = Limited {
        memory: memory.program(),
        output: output.program(),
        spin: spin.program(),
        network: NetworkGuest::new(Rules::default()),
        web: Web::start().await,
    };
    for row in LIMITS {
        let (key, text, probe, expected) = row;
        let limits = policy_of("resources", &(*key, text, *probe, *expected));
        let limits = limits.replace(text, &format!("limits: {{{text}}}"));
        let policy = format!("{limits}  network: {{allow: [{{host: localhost}}]}}\n");
        let observed = limited.tries(*probe, &policy).await;
        assert_eq!(observed, *expected, "{row:?}");
    }
}
