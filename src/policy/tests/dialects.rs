//! The parser and the JSON Schema accept and refuse the same documents.

use jsonschema::Validator;

use super::*;

fn schema() -> Validator {
    jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

fn data(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Documents in the older dialect, as found in public repositories.
const ELSEWHERE: &[&str] = &[
    "$schema: https://raw.githubusercontent.com/microsoft/policy-mcp/main/schema/policy-v1.0.schema.json\nversion: \"1.0\"\ndescription: d\npermissions: {}\n",
    "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - host: \"https://example.com/\"\n",
    "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n    - uri: \"fs://work/agent/**\"\n      access: [\"read\", \"write\"]\n    deny:\n    - uri: \"fs://system/**\"\n      access: [\"read\", \"write\"]\n  network:\n    allow:\n    - host: \"*.internal.company.com\"\n    - cidr: \"172.16.0.0/12\"\n    deny:\n    - host: \"*\"\n    - cidr: \"0.0.0.0/0\"\n  environment:\n    allow:\n    - key: \"PATH\"\n",
    "version: '1.0'\npermissions:\n  resources:\n    limits:\n      cpu: 500m\n      memory: 512Mi\n",
    "version: '1.0'\npermissions:\n  storage:\n    allow:\n      - uri: \"fs:///\"\n        access: [\"read\"]\n",
];

/// Valid permissions.
const GOOD: &[&str] = &[
    "{network: {allow: [{host: \"*\"}, {host: 127.0.0.1}, {host: \"[::1]:80\"}, {host: \"::1\"}, {host: \"HTTP://A.example\"}, {host: bücher.example}, {host: a.example.}]}}",
    "{network: {allow: [{cidr: 0.0.0.0/0}, {cidr: \"::/0\"}, {cidr: \"10.0.0.0/8:5432\"}, {cidr: \"[fd00::/8]:443\"}, {cidr: 192.0.2.1/32}]}}",
    "{storage: {allow: [{uri: \"fs://**\", access: [read]}, {uri: \"fs:///a/*/b*c/**/d\", access: [write]}, {uri: \"fs:///a%2Ab/c d\", access: [write, read]}, {uri: \"fs:///.git/..x\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: [read, write], quota: 1Gi}, {uri: \"fs:///b\", access: [write], quota: 100}]}}",
    "{storage: {deny: [{uri: \"fs:///a\"}, {uri: \"fs:///b\", access: [write]}]}}",
    "{environment: {allow: [{key: a.b-c_D}, {key: EMPTY, value: \"\"}, {key: S, value_from: secret}]}}",
    "{resources: {limits: {memory: 1048576, cpu: 0.5, time: 500ms, instances: \"3\", output: 64M}}}",
    "{resources: {limits: {memory: 1Ti, cpu: 2, time: 24h, instances: 1, output: 1k}}}",
    "{resources: {limits: {cpu: \"0.025\"}}}",
    "{network: null, storage: {allow: null}, environment: null, resources: {limits: null}}",
];

/// Invalid permissions.
pub(super) const BAD: &[&str] = &[
    "[]",
    "{netwrok: {}}",
    "{ipc: {allow: []}}",
    "{runtime: {wasm: {engine: wasmtime}}}",
    "{filesystem: {}}",
    "{limits: {memory: 1Mi}}",
    "{network: []}",
    "{network: {allow: {host: a.example}}}",
    "{network: {allow: [a.example]}}",
    "{network: {allow: [{}]}}",
    "{network: {allow: [{host: a.example, cidr: 10.0.0.0/8}]}}",
    "{network: {allow: [{defaults: true}]}}",
    "{network: {allow: [{host: a.example, port: 80}]}}",
    "{network: {allow: [{host: 5}]}}",
    "{network: {allow: [{host: \"\"}]}}",
    "{network: {allow: [{host: \"a b.example\"}]}}",
    "{network: {allow: [{host: \"a.*.example\"}]}}",
    "{network: {allow: [{host: \"*.*.example\"}]}}",
    "{network: {allow: [{host: \"*example\"}]}}",
    "{network: {allow: [{host: \"ftp://a.example\"}]}}",
    "{network: {allow: [{host: \"https://a.example/path\"}]}}",
    "{network: {allow: [{host: \"https://user@a.example\"}]}}",
    "{network: {allow: [{host: \"a.example:0\"}]}}",
    "{network: {allow: [{host: \"a.example:http\"}]}}",
    "{network: {allow: [{host: \"a%2eexample\"}]}}",
    "{network: {allow: [{cidr: 10.0.0.0}]}}",
    "{network: {allow: [{cidr: 10.0.0.0/33}]}}",
    "{network: {allow: [{cidr: 10.0.0.0/x}]}}",
    "{network: {allow: [{cidr: example.com/8}]}}",
    "{network: {allow: [{cidr: \"fd00::/129\"}]}}",
    "{storage: {allow: [{uri: \"fs:///a\"}]}}",
    "{storage: {allow: [{access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: []}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: read}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: [execute]}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: [read, read]}]}}",
    "{storage: {allow: [{uri: \"/a\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"file:///a\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs://\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a//b\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/../b\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs://../b\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs://./b\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs://~/b\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs://$HOME/b\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/**b\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/***\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/?\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/{b,c}\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/%zz\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/%2\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/%00\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/b%2Fc\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: [read], mode: 1}]}}",
    "{environment: {allow: [{}]}}",
    "{environment: {allow: [{key: \"\"}]}}",
    "{environment: {allow: [{key: \"A=B\"}]}}",
    "{environment: {allow: [{key: \"PATH_*\"}]}}",
    "{environment: {allow: [{key: 1A}]}}",
    "{environment: {allow: [{key: A, value: 5}]}}",
    "{environment: {allow: [{key: A, value: true}]}}",
    "{environment: {allow: [{key: A, value: null}]}}",
    "{environment: {allow: [{key: A, value: b, value_from: secret}]}}",
    "{environment: {allow: [{key: A, value_from: env}]}}",
    "{environment: {deny: [{key: A}]}}",
    "{resources: {memory: 512}}",
    "{resources: {io: 5}}",
    "{resources: {requests: {memory: 1Mi}}}",
    "{resources: {limits: {memory: 0}}}",
    "{resources: {limits: {memory: 0Mi}}}",
    "{resources: {limits: {memory: -1}}}",
    "{resources: {limits: {memory: 1.5}}}",
    "{resources: {limits: {memory: 512MB}}}",
    "{resources: {limits: {memory: 5 Mi}}}",
    "{resources: {limits: {memory: [1]}}}",
    "{resources: {limits: {memory: null}}}",
    "{resources: {limits: {cpu: 0}}}",
    "{resources: {limits: {cpu: 0m}}}",
    "{resources: {limits: {cpu: 1025}}}",
    "{resources: {limits: {cpu: 0.0001}}}",
    "{resources: {limits: {cpu: 50%}}}",
    "{resources: {limits: {time: 30}}}",
    "{resources: {limits: {time: 0s}}}",
    "{resources: {limits: {time: 1.5s}}}",
    "{resources: {limits: {time: 1d}}}",
    "{resources: {limits: {instances: 0}}}",
    "{resources: {limits: {instances: 1.5}}}",
    "{resources: {limits: {instances: many}}}",
    "{resources: {limits: {tiem: 1s}}}",
];

/// Like [`BAD`], for quotas.
const BAD_QUOTAS: &[&str] = &[
    "{storage: {allow: [{uri: \"fs:///a\", access: [read], quota: 1Gi}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: [write], quota: 0}]}}",
    "{storage: {allow: [{uri: \"fs:///a\", access: [write], quota: much}]}}",
    "{storage: {deny: [{uri: \"fs:///a\", quota: 1Gi}]}}",
];

/// Texts that a JSON Schema pattern cannot exclude, but the parser refuses.
pub(super) const SUBTLE: &[&str] = &[
    "{network: {allow: [{cidr: 10.0.0.1/8}]}}",
    "{network: {allow: [{cidr: 999.0.0.0/8}]}}",
    "{network: {allow: [{cidr: \"fd00:::/8\"}]}}",
    "{network: {allow: [{host: \"a.example:65536\"}]}}",
    "{network: {allow: [{host: \"*.10.0.0.1\"}]}}",
    "{network: {allow: [{host: 1.2.3.4.5}]}}",
    "{network: {allow: [{host: a..example}]}}",
    "{network: {allow: [{host: xn--a}]}}",
    "{storage: {allow: [{uri: \"fs:///a/%2E%2e\", access: [read]}]}}",
    "{storage: {allow: [{uri: \"fs:///a/%FF\", access: [read]}]}}",
    "{environment: {allow: [{key: A}, {key: A, value: b}]}}",
    "{resources: {limits: {memory: 99999999Ti}}}",
    "{resources: {limits: {time: 25h}}}",
    "{resources: {limits: {cpu: 2000000m}}}",
    "{resources: {limits: {instances: \"4294967296\"}}}",
];

fn document(permissions: &str) -> String {
    format!("version: \"1.0\"\npermissions: {permissions}\n")
}

#[test]
fn good_documents_are_taken_by_both() {
    let schema = schema();
    let own = GOOD.iter().map(|permissions| document(permissions));
    let elsewhere = ELSEWHERE.iter().map(|text| (*text).to_owned());
    for text in own.chain(elsewhere).chain([WHOLE.to_owned()]) {
        let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        if let Err(error) = schema.validate(&data(&text)) {
            panic!("{error} at {}\n{text}", error.instance_path());
        }
        let written = policy.to_yaml();
        assert_eq!(Policy::parse(&written).unwrap(), policy, "{written}");
        assert!(schema.is_valid(&data(&written)), "{written}");
    }
}

#[test]
fn bad_documents_are_refused_by_both() {
    let schema = schema();
    let own = BAD.iter().chain(BAD_QUOTAS);
    let own = own.map(|permissions| document(permissions));
    let whole = [
        "{}",
        "[]",
        "version: '2.0'",
        "version: 1.0",
        "permissions: {}",
        "version: '1.0'\npermission: {}",
        "version: '1.0'\ndescription: [a]",
    ];
    for text in own.chain(whole.map(str::to_owned)) {
        assert!(Policy::parse(&text).is_err(), "parsed: {text}");
        assert!(!schema.is_valid(&data(&text)), "valid: {text}");
    }
}

#[test]
fn what_a_pattern_cannot_say_the_parser_does() {
    for permissions in SUBTLE {
        assert!(
            Policy::parse(&document(permissions)).is_err(),
            "{permissions}"
        );
    }
}

/// The documents on the page are complete, and all of them parse.
#[test]
fn the_examples_of_the_documentation_are_policies() {
    let page = include_str!("../../../docs/policy.md");
    let schema = schema();
    let examples: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|text| text.contains("version:"))
        .collect();
    assert!(!examples.is_empty(), "the examples were not found");
    for text in examples {
        Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(schema.is_valid(&data(text)), "{text}");
    }
}
