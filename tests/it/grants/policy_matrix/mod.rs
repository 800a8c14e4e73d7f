//! Every key of the policy language, allowed and denied, as a component observes it. The keys come
//! from the schema: a new key without rows fails here.

mod rows;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use wassette::error::Diagnose;
use wassette::policy::Policy;
use wassette::runtime::{Called, Environment, Program, Returned, Sandbox, SandboxOptions};

use crate::support::cli::Cli;
use crate::support::components_limits::FLOOD;
use crate::support::components_rt::{MEMORY, OUTPUT, SPIN, TELLTALE};
use crate::support::dns::Dns;
use crate::support::files::Files;
use crate::support::network_guest::{NetworkGuest, Rules, message, socket};
use crate::support::program::{Installed, export};
use crate::support::web::Web;

use rows::Probe::*;
use rows::Verdict::{Allowed, Denied};
use rows::{ENVIRONMENT, LIMITS, NETWORK, Probe, Row, STORAGE, Verdict, WITHOUT_MEANING};

#[test]
fn every_key_of_the_schema_has_its_rows() {
    let schema = include_str!("../../../../schemas/policy-1.0.schema.json");
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

/// Collects the keys of a schema that have no nested keys, each with its path.
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

/// Checks that a row's text has its key, and returns the whole policy.
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
        variables: Arc::new(Environment::default()),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn network() {
    let (web, web6) = (Web::start().await, Web::on("[::1]:0").await);
    let connections = || web.connections() + web6.connections();
    let here = &[[127, 0, 0, 1]][..];
    let dns = Dns::new([
        ("a.test", here),
        ("b.a.test", here),
        ("c.b.a.test", here),
        ("xa.test", here),
        ("xn--bcher-kva.test", here),
        ("localhost", here),
    ]);
    let guest = NetworkGuest::with_resolver(Rules::default(), dns);
    let ports = |text: &str| {
        let text = text.replace("PORT6", &web6.port.to_string());
        text.replace("PORT", &web.port.to_string())
    };
    for row in NETWORK {
        let policy = ports(&policy_of("network", row));
        let (_, _, probe, expected) = row;
        let (function, arguments) = match probe {
            Get(url) => {
                let message = message(&ports(url));
                ("request", json!({ "message": message }))
            }
            LookUp(name) => ("look-up", json!({ "name": name })),
            Tcp(address) => {
                let address: IpAddr = address.parse().unwrap();
                let web = if address.is_ipv4() { &web } else { &web6 };
                let remote = socket(address, web.port);
                let text = "GET / HTTP/1.1\r\n\r\n";
                ("tcp", json!({ "remote": remote, "text": text }))
            }
            other => unreachable!("{other:?}"),
        };
        let before = connections();
        let sandbox = sandbox(&policy, Path::new("/"));
        let called = guest.call_in(&sandbox, function, arguments).await;
        let succeeded = matches!(called.outcome, Ok(Returned::Ok(_)));
        assert_eq!(Verdict::when(succeeded), *expected, "{row:?} {called:?}");
        assert_eq!(called.denials.is_empty(), succeeded, "{row:?} {called:?}");
        let connects = succeeded && !matches!(probe, LookUp(_));
        assert_eq!(connections() - before, usize::from(connects), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage() {
    let files = Files::new();
    for row in STORAGE {
        for path in ["in/a.txt", "in/a.md", "in/d/file", "in/d/e/file", "out"] {
            files.write(path, "text");
        }
        let root = files.path("").canonicalize().unwrap();
        let name = root.to_str().unwrap().trim_end_matches('/');
        let policy = policy_of("storage", row).replace("ROOT", name);
        let (_, _, probe, expected) = row;
        let sandbox = sandbox(&policy, &root);
        // Every directory that the guest starts with is one of these, or below one.
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
    flood: Arc<Program>,
    spin: Arc<Program>,
    network: NetworkGuest,
    web: Web,
}

impl Limited {
    async fn tries(&self, probe: Probe, policy: &str, expected: Verdict) -> Verdict {
        let sandbox = sandbox(policy, Path::new("/"));
        let answer = async |program: &Program, function, arguments: Value| {
            let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap();
            let export = export(function);
            program
                .call(&export, arguments, &sandbox, &CancellationToken::new())
                .await
                .outcome
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
            Print => {
                let got = answer(&self.flood, "both", json!({ "pieces": 1 })).await;
                ended(got, "output-limit")
            }
            Cpu => {
                let stopped = answer(&self.spin, "spin", json!({})).await.unwrap_err();
                assert_eq!(stopped.code(), "call-timeout");
                let hint = stopped.hint().expect("a hint");
                Verdict::when(!hint.contains("held it back"))
            }
            Time => {
                let called = self.waits(&sandbox, &self.web, "late").await;
                ended(called.outcome, "call-timeout")
            }
            Instances => {
                // A server of its own: a call of another row that was cut off may still be paused
                // there.
                let web = Web::start().await;
                // Without a limit, the calls wait for each other; with it, they wait in vain.
                let pause = match expected {
                    Allowed => "pause/20000",
                    Denied => "pause/1000",
                };
                let pauses = || self.waits(&sandbox, &web, pause);
                let all = tokio::join!(pauses(), pauses(), pauses(), pauses());
                for called in [all.0, all.1, all.2, all.3] {
                    assert!(called.outcome.is_ok(), "{called:?}");
                }
                Verdict::when(web.seen.most_pausing.load(SeqCst) > 1)
            }
            other => unreachable!("{other:?}"),
        }
    }

    async fn waits(&self, sandbox: &Sandbox, web: &Web, path: &str) -> Called {
        let message = message(&format!("http://localhost:{}/{path}", web.port));
        let arguments = json!({ "message": message });
        self.network.call_in(sandbox, "request", arguments).await
    }
}

/// Returns whether a call succeeded, or failed at this limit.
fn ended(outcome: Result<Returned, impl Diagnose>, limit: &str) -> Verdict {
    if let Err(error) = &outcome {
        assert_eq!(error.code(), limit);
    }
    Verdict::when(outcome.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn limits() {
    let (memory, output) = (Installed::new(MEMORY), Installed::new(OUTPUT));
    let (spin, flood) = (Installed::new(SPIN), Installed::new(FLOOD));
    let limited = Limited {
        memory: memory.program(),
        output: output.program(),
        flood: flood.program(),
        spin: spin.program(),
        network: NetworkGuest::new(Rules::default()),
        web: Web::start().await,
    };
    for row in LIMITS {
        let (key, text, probe, expected) = row;
        let limits = policy_of("resources", &(*key, text, *probe, *expected));
        let limits = limits.replace(text, &format!("limits: {{{text}}}"));
        let policy = format!("{limits}  network: {{allow: [{{host: localhost}}]}}\n");
        let observed = limited.tries(*probe, &policy, *expected).await;
        assert_eq!(observed, *expected, "{row:?}");
    }
}
