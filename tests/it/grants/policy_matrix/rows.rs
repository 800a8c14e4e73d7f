//! The probes for each policy, and their expected outcomes.

/// Something that a component tries.
#[derive(Clone, Copy, Debug)]
pub enum Probe {
    /// An HTTP request.
    Get(&'static str),
    LookUp(&'static str),
    /// A TCP connection to the web server, at this address.
    Tcp(&'static str),
    Read(&'static str),
    Write(&'static str),
    /// Sees this variable with this value.
    Variable(&'static str, &'static str),
    /// Takes seven megabytes.
    Memory,
    /// Computes for half a second without being held back.
    Cpu,
    /// Waits 50 ms for an answer.
    Time,
    /// Runs four times at once.
    Instances,
    /// Returns a kilobyte.
    Output,
    /// Prints eight kilobytes.
    Print,
}

use Probe::*;
/// A policy's key, its text, a probe, and the outcome.
pub type Row = (&'static str, &'static str, Probe, Verdict);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Allowed,
    Denied,
}

use Verdict::{Allowed, Denied};

impl Verdict {
    pub fn when(allowed: bool) -> Self {
        if allowed { Allowed } else { Denied }
    }
}

/// Keys that grant nothing.
pub const WITHOUT_MEANING: [&str; 3] = ["$schema", "description", "version"];

const HOST: &str = "permissions.network.allow.host";
const CIDR: &str = "permissions.network.allow.cidr";
const NO_HOST: &str = "permissions.network.deny.host";
const NO_CIDR: &str = "permissions.network.deny.cidr";

/// `PORT` is the web server's port, `PORT6` that of the one at `::1`, and `ROOT` the directory of
/// files.
#[rustfmt::skip]
pub const NETWORK: &[Row] = &[
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
    // This machine by name, and every host.
    (HOST, "allow: [{host: localhost}]", Get("http://localhost:PORT/"), Allowed),
    (HOST, "allow: [{host: localhost}]", LookUp("localhost"), Allowed),
    (HOST, "allow: [{host: localhost}]", Get("http://127.0.0.1:PORT/"), Denied),
    (HOST, "allow: [{host: localhost}]", Tcp("127.0.0.1"), Denied),
    (HOST, "allow: [{host: '*'}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Allowed),
    (HOST, "allow: [{host: '*'}, {cidr: 127.0.0.0/8}]", LookUp("c.b.a.test"), Allowed),
    (HOST, "allow: [{host: '*'}]", Get("http://localhost:PORT/"), Denied),
    (HOST, "allow: [{host: '*'}]", Get("http://127.0.0.1:PORT/"), Denied),
    (HOST, "allow: [{host: '*'}]", Tcp("127.0.0.1"), Denied),
    // A network: addresses, and sockets.
    (CIDR, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Allowed),
    (CIDR, "allow: [{host: a.test}, {cidr: 10.0.0.0/8}]", Get("http://a.test:PORT/"), Denied),
    (CIDR, "allow: [{cidr: 127.0.0.0/8}]", Get("http://a.test:PORT/"), Denied),
    (CIDR, "allow: [{cidr: '127.0.0.0/8:PORT'}]", Tcp("127.0.0.1"), Allowed),
    (CIDR, "allow: [{cidr: '127.0.0.0/8:1'}]", Tcp("127.0.0.1"), Denied),
    (CIDR, "allow: [{cidr: 127.0.0.2/31}]", Tcp("127.0.0.1"), Denied),
    (CIDR, "allow: [{cidr: '::1/128'}]", Get("http://[::1]:PORT6/"), Allowed),
    (CIDR, "allow: [{cidr: '::/127'}]", Tcp("::1"), Allowed),
    (CIDR, "allow: [{cidr: '[::1/128]:PORT6'}]", Tcp("::1"), Allowed),
    (CIDR, "allow: [{cidr: '[::1/128]:1'}]", Tcp("::1"), Denied),
    (CIDR, "allow: [{cidr: 'fd00::/8'}]", Get("http://[::1]:PORT6/"), Denied),
    (CIDR, "allow: [{cidr: '0.0.0.0/0'}]", Tcp("::1"), Denied),
    (CIDR, "allow: [{cidr: '::/0'}]", Tcp("127.0.0.1"), Denied),
    // Deny rules.
    (NO_HOST, "allow: [{host: '*.test'}, {cidr: 127.0.0.0/8}], deny: [{host: b.a.test}]", Get("http://a.test:PORT/"), Allowed),
    (NO_HOST, "allow: [{host: '*.test'}, {cidr: 127.0.0.0/8}], deny: [{host: '*.a.test'}]", LookUp("a.test"), Allowed),
    (NO_HOST, "allow: [{host: '*.test'}, {cidr: 127.0.0.0/8}], deny: [{host: b.a.test}]", Get("http://b.a.test:PORT/"), Denied),
    (NO_HOST, "allow: [{host: b.a.test}, {cidr: 127.0.0.0/8}], deny: [{host: '*.a.test'}]", LookUp("b.a.test"), Denied),
    (NO_HOST, "allow: [{cidr: 127.0.0.0/8}], deny: [{host: 127.0.0.2}]", Tcp("127.0.0.1"), Allowed),
    (NO_HOST, "allow: [{cidr: 127.0.0.0/8}], deny: [{host: 127.0.0.1}]", Tcp("127.0.0.1"), Denied),
    (NO_HOST, "allow: [{cidr: 127.0.0.0/8}], deny: [{host: 127.0.0.1}]", Get("http://127.0.0.1:PORT/"), Denied),
    (NO_HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{host: 127.0.0.1}]", Get("http://a.test:PORT/"), Denied),
    (NO_HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{host: 'https://a.test'}]", Get("http://a.test:PORT/"), Allowed),
    (NO_HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{host: 'http://a.test'}]", Get("http://a.test:PORT/"), Denied),
    (NO_HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{host: 'a.test:1'}]", Get("http://a.test:PORT/"), Allowed),
    (NO_HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{host: 'a.test:PORT'}]", Get("http://a.test:PORT/"), Denied),
    (NO_HOST, "allow: [{host: localhost}], deny: [{host: localhost}]", Get("http://localhost:PORT/"), Denied),
    (NO_HOST, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{host: '*'}]", Get("http://a.test:PORT/"), Denied),
    (NO_HOST, "allow: [{cidr: 127.0.0.0/8}], deny: [{host: '*'}]", Tcp("127.0.0.1"), Denied),
    (NO_CIDR, "allow: [{cidr: '::/0'}], deny: [{cidr: '::1/128'}]", Tcp("::1"), Denied),
    (NO_CIDR, "allow: [{cidr: '::/0'}], deny: [{cidr: '::1/128'}]", Get("http://[::1]:PORT6/"), Denied),
    (NO_CIDR, "allow: [{cidr: '::/0'}], deny: [{cidr: '127.0.0.0/8'}]", Tcp("::1"), Allowed),
    (NO_CIDR, "allow: [{cidr: 127.0.0.0/8}], deny: [{cidr: 127.0.0.2/32}]", Tcp("127.0.0.1"), Allowed),
    (NO_CIDR, "allow: [{cidr: 127.0.0.0/8}], deny: [{cidr: 127.0.0.1/32}]", Tcp("127.0.0.1"), Denied),
    (NO_CIDR, "allow: [{host: a.test}, {cidr: 127.0.0.0/8}], deny: [{cidr: 127.0.0.1/32}]", Get("http://a.test:PORT/"), Denied),
];

const URI: &str = "permissions.storage.allow.uri";
const ACCESS: &str = "permissions.storage.allow.access";
const QUOTA: &str = "permissions.storage.allow.quota";
const NO_URI: &str = "permissions.storage.deny.uri";
const NO_ACCESS: &str = "permissions.storage.deny.access";

#[rustfmt::skip]
pub const STORAGE: &[Row] = &[
    (URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Read("in/d/file"), Allowed),
    (URI, "allow: [{uri: 'fs://in/**', access: [read]}]", Read("in/d/file"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Read("out"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/in/*.txt', access: [read]}]", Read("in/a.txt"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/*.txt', access: [read]}]", Read("in/a.md"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/in/*', access: [read]}]", Read("in/d/file"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/in/a.txt', access: [read]}]", Read("in/a.txt"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/a.txt', access: [read]}]", Read("in/a.md"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/in/**/file', access: [read]}]", Read("in/d/file"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/**/file', access: [read]}]", Read("in/d/e/file"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/**/e/*', access: [read]}]", Read("in/d/e/file"), Allowed),
    (URI, "allow: [{uri: 'fs://ROOT/in/**/e/*', access: [read]}]", Read("in/d/file"), Denied),
    (URI, "allow: [{uri: 'fs://ROOT/**/d/e/**', access: [read]}]", Read("in/a.txt"), Denied),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Read("in/a.txt"), Allowed),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}]", Write("in/a.txt"), Denied),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [write]}]", Write("in/a.txt"), Allowed),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [write]}]", Read("in/a.txt"), Denied),
    (ACCESS, "allow: [{uri: 'fs://ROOT/in/**', access: [read, write]}]", Write("in/d/new"), Allowed),
    (QUOTA, "allow: [{uri: 'fs://ROOT/in/**', access: [write], quota: 5}]", Write("in/d/new"), Allowed),
    (QUOTA, "allow: [{uri: 'fs://ROOT/in/**', access: [write], quota: 4}]", Write("in/d/new"), Denied),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}], deny: [{uri: 'fs://ROOT/in/d/**'}]", Read("in/a.txt"), Allowed),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}], deny: [{uri: 'fs://ROOT/in/d/**'}]", Read("in/d/file"), Denied),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/d/file', access: [read]}], deny: [{uri: 'fs://ROOT/in/**'}]", Read("in/d/file"), Denied),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}], deny: [{uri: 'fs://ROOT/in/**/e/*'}]", Read("in/d/file"), Allowed),
    (NO_URI, "allow: [{uri: 'fs://ROOT/in/**', access: [read]}], deny: [{uri: 'fs://ROOT/in/**/e/*'}]", Read("in/d/e/file"), Denied),
    (NO_ACCESS, "allow: [{uri: 'fs://in/**', access: [read, write]}], deny: [{uri: 'fs://in/**', access: [write]}]", Read("in/a.txt"), Allowed),
    (NO_ACCESS, "allow: [{uri: 'fs://in/**', access: [read, write]}], deny: [{uri: 'fs://in/**', access: [write]}]", Write("in/a.txt"), Denied),
];

const KEY: &str = "permissions.environment.allow.key";
const VALUE: &str = "permissions.environment.allow.value";
const VALUE_FROM: &str = "permissions.environment.allow.value_from";

/// The server has `REGION` and `CITY`; the component has the secret `TOKEN`.
#[rustfmt::skip]
pub const ENVIRONMENT: &[Row] = &[
    (KEY, "allow: [{key: CITY}]", Variable("CITY", "of the server"), Allowed),
    (KEY, "allow: [{key: CIT}, {key: city}]", Variable("CITY", "of the server"), Denied),
    (KEY, "allow: [{key: TOKEN}]", Variable("TOKEN", "[redacted]"), Allowed),
    (VALUE, "allow: [{key: REGION, value: eu}]", Variable("REGION", "eu"), Allowed),
    (VALUE, "allow: [{key: REGION, value: eu}]", Variable("REGION", "of the server"), Denied),
    (VALUE_FROM, "allow: [{key: TOKEN, value_from: secret}]", Variable("TOKEN", "[redacted]"), Allowed),
    (VALUE_FROM, "allow: [{key: CITY, value_from: secret}]", Variable("CITY", "of the server"), Denied),
];

#[rustfmt::skip]
pub const LIMITS: &[Row] = &[
    ("permissions.resources.limits.memory", "memory: 16Mi", Memory, Allowed),
    ("permissions.resources.limits.memory", "memory: 1Mi", Memory, Denied),
    ("permissions.resources.limits.cpu", "cpu: 1, time: 2s", Cpu, Allowed),
    ("permissions.resources.limits.cpu", "cpu: 20m, time: 2s", Cpu, Denied),
    ("permissions.resources.limits.time", "time: 1m", Time, Allowed),
    ("permissions.resources.limits.time", "time: 10ms", Time, Denied),
    ("permissions.resources.limits.instances", "instances: 4", Instances, Allowed),
    ("permissions.resources.limits.instances", "instances: 1", Instances, Denied),
    ("permissions.resources.limits.output", "output: 4Ki", Output, Allowed),
    ("permissions.resources.limits.output", "output: 512", Output, Denied),
    ("permissions.resources.limits.output", "output: 16Ki", Print, Allowed),
    ("permissions.resources.limits.output", "output: 4Ki", Print, Denied),
];
