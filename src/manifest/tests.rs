use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::read::{COMPONENT, MANIFEST, RETRY};
use super::*;
use crate::config::{KeySource, Required};
use crate::error::Diagnose;
use crate::policy::Permission;

/// Files by their paths.
struct Memory(HashMap<&'static str, &'static str>);

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<(PathBuf, String)> {
        let text = path.to_str().and_then(|path| self.0.get(path));
        let text = text.ok_or(io::ErrorKind::NotFound)?;
        Ok((path.to_owned(), (*text).to_owned()))
    }
}

fn variable(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("api.example.com".into()),
        "TOKEN" => Some("s3cret-t0ken".into()),
        _ => None,
    }
}

fn load_with(
    files: &[(&'static str, &'static str)],
    text: &str,
) -> Result<Manifest, ManifestError> {
    let files = Memory(files.iter().copied().collect());
    let path = Path::new("/fleet/fleet.yaml");
    super::load("fleet.yaml", text, path, &files, &Variables::new(&variable))
}

fn loaded(text: &str) -> Manifest {
    load_with(&[], text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refused(text: &str) -> String {
    let error = load_with(&[], text).unwrap_err();
    assert_eq!(error.code(), "invalid-manifest");
    error.to_string()
}

const SEED: &str = "\
# manifest.yaml
version: 1
components:
  - uri: oci://ghcr.io/microsoft/get-weather-js:latest
    name: weather-service
    permissions:
      network:
        allow:
          - host: api.openweathermap.org
      environment:
        allow:
          - key: OPENWEATHER_API_KEY

  - uri: oci://ghcr.io/microsoft/github-js:latest
    name: github-api
    permissions:
      network:
        allow:
          - host: api.github.com
      environment:
        allow:
          - key: GITHUB_TOKEN
";

#[test]
fn entries_are_read_with_their_permissions() {
    let manifest = loaded(SEED);
    let ids: Vec<_> = manifest.entries.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["weather-service", "github-api"]);
    let first = &manifest.entries[0];
    assert_eq!(
        first.reference.to_string(),
        "oci://ghcr.io/microsoft/get-weather-js:latest"
    );
    let granted = first.permissions.as_ref().unwrap().permissions();
    assert!(matches!(
        &granted[..],
        [Permission::Network(_), Permission::Environment(_)]
    ));
    assert_eq!(first.written.place, "fleet.yaml:4");
}

#[test]
fn files_of_other_editors_and_json_are_read() {
    for text in [
        format!("\u{feff}{}", SEED.replace('\n', "\r\n")),
        // Without a version, it is 1.
        SEED.replace("version: 1\n", ""),
        json!({"components": [{"uri": "oci://a.example/get:1", "name": "weather-service"}]})
            .to_string(),
        "{\n\t\"components\": [\n\t\t{\"uri\": \"oci://a.example/x:1\", \"name\": \"weather-service\"}\n\t]\n}".into(),
    ] {
        assert_eq!(loaded(&text).entries[0].id.as_str(), "weather-service", "{text}");
    }
}

#[test]
fn paths_are_taken_from_the_manifest_and_names_from_the_catalog() {
    let manifest = loaded("components:\n- uri: ./tools/calc.wasm\n- uri: get-weather-js\n");
    let [file, known] = &manifest.entries[..] else {
        panic!("{manifest:?}")
    };
    assert_eq!(file.reference.to_string(), "file:///fleet/tools/calc.wasm");
    assert_eq!(file.id.as_str(), "calc");
    assert!(matches!(known.reference, Reference::Oci(_)));
}

#[test]
fn permissions_left_out_differ_from_none() {
    let manifest = loaded(
        "components:\n- uri: a.wasm\n- uri: b.wasm\n  permissions: {}\n- uri: c.wasm\n  permissions: null\n",
    );
    let granted = manifest.entries.iter().map(|entry| &entry.permissions);
    let granted: Vec<_> = granted.map(Option::is_some).collect();
    assert_eq!(granted, [false, true, false]);
}

#[test]
fn variables_are_expanded_in_values_and_not_in_what_is_kept() {
    let text = "components:\n- uri: oci://${REGISTRY:-ghcr.io}/acme/x:1\n  permissions: {network: {allow: [{host: '${HOST}'}]}}\n";
    let manifest = loaded(text);
    let entry = &manifest.entries[0];
    assert_eq!(entry.reference.to_string(), "oci://ghcr.io/acme/x:1");
    let granted = entry.permissions.as_ref().unwrap().permissions();
    assert!(granted[0].to_string().contains("api.example.com"));
    assert_eq!(entry.written.uri, "oci://${REGISTRY:-ghcr.io}/acme/x:1");
    let kept = entry.written.permissions.as_ref().unwrap().to_string();
    assert!(kept.contains("${HOST}"), "{kept}");
    // A manifest from the web is not expanded.
    let web = Manifest::from_web("https://a.example/m", text).unwrap_err();
    assert!(web.to_string().contains("${"), "{web}");
}

#[test]
fn an_error_does_not_repeat_what_a_variable_holds() {
    let error = refused("components:\n- uri: oci://ghcr.io/x:1\n  name: ${TOKEN}/\n");
    assert!(
        error.contains("${TOKEN}") && !error.contains("s3cret"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_caret() {
    let error = refused("components:\n  - uri: a.wasm\n    digets: sha256:1\n");
    assert_eq!(
        error,
        "fleet.yaml:3:5: unknown key `digets`; did you mean `digest`? (`components[0]`)\n  \
         3 |     digets: sha256:1\n    |     ^"
    );
}

#[test]
fn bad_manifests_are_refused() {
    let bomb = "a: &a [x]\nb: &b [*a, *a]\ncomponents: *b\n";
    for (text, told) in [
        ("", "a mapping is expected here, not nothing"),
        ("components:\n", "a list is expected here, not nothing"),
        ("version: 1\n", "the key `components` is missing"),
        (
            "version: 2\ncomponents: []\n",
            "the one version there is is `1`",
        ),
        ("componnets: []\n", "did you mean `components`?"),
        ("components: [{}]\n", "the key `uri` is missing"),
        ("components: [{uri: ''}]\n", "it is empty"),
        ("components: [{uri: 'ftp://a/b'}]\n", "scheme is not known"),
        ("components: [{uri: no-such-name}]\n", "no-such-name"),
        (
            "components: [{uri: a.wasm, name: A_B}]\n",
            "is not a component id",
        ),
        (
            "components: [{uri: a.wasm, digest: 'sha256:12'}]\n",
            "is not a digest",
        ),
        (
            "components: [{uri: a.wasm, tools: {}}]\n",
            "`tools` is not taken here",
        ),
        (
            "components: [{uri: a.wasm, permissions: {netwrok: {}}}]\n",
            "did you mean `network`?",
        ),
        (
            "components: [{uri: a.wasm, permissions: {network: {allow: [{host: 'a b'}]}}}]\n",
            "is not a host",
        ),
        (
            "components: [{uri: a.wasm, retry: {max: 101}}]\n",
            "a whole number up to 100",
        ),
        (
            "components: [{uri: a.wasm, retry: {max: -1}}]\n",
            "a whole number up to 100",
        ),
        (
            "components: [{uri: a.wasm, retry: {delay: 2h}}]\n",
            "an hour at most",
        ),
        (
            "components: [{uri: a.wasm, retry: {delay: soon}}]\n",
            "soon",
        ),
        (
            "components: [{uri: a.wasm}, {uri: x/a.wasm}]\n",
            "two entries have the name `a`",
        ),
        (
            "components: [{uri: '${UNSET}'}]\n",
            "the variable `UNSET` is not set",
        ),
        ("${HOST}: 1\ncomponents: []\n", "unknown key `${HOST}`"),
        ("components: []\ncomponents: []\n", "duplicate mapping key"),
        (bomb, "budget breached"),
        (
            "x: &x {uri: a.wasm}\ncomponents: [{<<: *x}]\n",
            "this is not YAML as it is read here",
        ),
        ("components:\n\t- uri: a.wasm\n", "tabs"),
        ("components: [1\n", "unclosed bracket"),
        ("components: []\n---\ncomponents: []\n", "budget breached"),
        ("<html>", "a mapping is expected here"),
    ] {
        let error = refused(text);
        assert!(error.contains(told), "{text}\n{error}");
        assert!(error.starts_with("fleet.yaml:"), "{error}");
    }
}

#[test]
fn a_confidential_value_is_not_part_of_an_excerpt() {
    let error = refused(
        "components:\n- uri: a.wasm\n  permissions: {environment: {allow: [{key: A, value: hunter2, x: 1}]}}\n",
    );
    assert!(
        error.contains("unknown key `x`") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn included_files_belong_to_the_manifest() {
    let files = [
        ("/fleet/teams/a.yaml", "components: [{uri: a.wasm}]\n"),
        (
            "/fleet/b.yaml",
            "components: [{uri: b.wasm}]\ninclude: [teams/a.yaml]\n",
        ),
    ];
    let manifest = load_with(&files, "include: [b.yaml]\n").unwrap();
    let from: Vec<_> = manifest
        .entries
        .iter()
        .map(|one| one.reference.to_string())
        .collect();
    assert_eq!(from, ["file:///fleet/b.wasm", "file:///fleet/teams/a.wasm"]);
    assert!(
        manifest.entries[1]
            .written
            .place
            .ends_with("teams/a.yaml:1")
    );
}

#[test]
fn includes_neither_loop_nor_leave_the_directory() {
    let files = [
        ("/fleet/a.yaml", "include: [b.yaml]\n"),
        ("/fleet/b.yaml", "include: [a.yaml]\n"),
        ("/fleet/c.yaml", "components: []\n"),
        ("/fleet/own.yaml", "include: [fleet.yaml]\n"),
        ("/fleet/fleet.yaml", ""),
        ("/etc/m.yaml", "components: []\n"),
    ];
    for (text, told) in [
        (
            "include: [a.yaml]\n",
            "files include each other: /fleet/fleet.yaml → /fleet/a.yaml → /fleet/b.yaml → /fleet/a.yaml",
        ),
        ("include: [own.yaml]\n", "files include each other"),
        ("include: [c.yaml, c.yaml]\n", "is included twice"),
        (
            "include: [/etc/m.yaml]\n",
            "is outside of the manifest's directory `/fleet`",
        ),
        ("include: [none.yaml]\n", "cannot be read"),
        ("include: ['']\n", "a path is expected here"),
        ("include: c.yaml\n", "a list is expected here"),
    ] {
        let error = load_with(&files, text).unwrap_err().to_string();
        assert!(error.contains(told), "{text}\n{error}");
    }
    let web = Manifest::from_web("https://a.example/m", "include: [c.yaml]\n").unwrap_err();
    assert!(
        web.to_string().contains("from the web includes nothing"),
        "{web}"
    );
}

#[test]
fn a_manifest_from_the_web_names_no_files_of_this_machine() {
    for uri in ["./a.wasm", "/a.wasm", "file:///a.wasm", "oci-layout:///a"] {
        let text = format!("components: [{{uri: '{uri}', name: a}}]\n");
        Manifest::from_web("https://a.example/m", &text).unwrap_err();
    }
    let text = "components: [{uri: 'oci://a.example/x:1'}]\n";
    assert_eq!(
        Manifest::from_web("https://a.example/m", text)
            .unwrap()
            .entries
            .len(),
        1
    );
}

#[test]
fn the_hash_of_an_entry_is_of_what_it_says() {
    let hash = |text: &str| loaded(text).entries[0].written.hash;
    let first = hash("components:\n- uri: a.wasm\n  name: a # a comment\n");
    assert_eq!(hash("components: [{name: a, uri: a.wasm}]\n"), first);
    assert_eq!(
        hash("components: [{name: a, uri: a.wasm, digest: null}]\n"),
        first
    );
    for other in [
        "{name: b, uri: a.wasm}",
        "{name: a, uri: b.wasm}",
        "{name: a, uri: a.wasm, permissions: {}}",
    ] {
        assert_ne!(hash(&format!("components: [{other}]\n")), first, "{other}");
    }
}

#[test]
fn the_shipped_schema_is_that_of_the_types() {
    let shipped = include_str!("../../schemas/manifest.schema.json");
    assert!(
        schema() == shipped,
        "run `wassette manifest schema > schemas/manifest.schema.json`"
    );
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let keys = |of: &Value| -> BTreeSet<String> {
        of["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let known = |keys: &[&str]| {
        keys.iter()
            .map(|key| (*key).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(keys(&schema), known(MANIFEST.known));
    assert_eq!(keys(&schema["$defs"]["Entry"]), known(COMPONENT.known));
    assert_eq!(keys(&schema["$defs"]["Retry"]), known(RETRY.known));
    let trust = ["require", "identities", "keys", "trusted-root", "deny"];
    assert_eq!(keys(&schema["$defs"]["Trust"]), known(&trust));
    assert_eq!(schema["$defs"]["Trust"].get("required"), None);
    assert_eq!(schema["$defs"]["Entry"]["required"], json!(["uri"]));
    assert_eq!(schema.get("required"), None);
}

#[test]
fn a_rule_about_a_component_is_read_and_its_files_are_beside_the_manifest() {
    let entry = |trust: &str| format!("components:\n- uri: oci://a.io/b:1\n  trust: {trust}\n");
    let manifest = loaded(&entry("{keys: [acme.pub, '-----BEGIN PUBLIC KEY-----']}"));
    let rule = manifest.entries[0].trust.as_ref().unwrap();
    assert_eq!(rule.require, Some(Required::Signature));
    assert_eq!(rule.scope.as_str(), "oci://a.io/b:1");
    assert_eq!(
        rule.keys,
        [
            KeySource::File("/fleet/acme.pub".into()),
            KeySource::Pem("-----BEGIN PUBLIC KEY-----".into()),
        ]
    );
    for (trust, told) in [
        ("signature", "a mapping is expected here"),
        ("{}", "a rule names what it requires"),
        ("{scope: '*', require: none}", "has no `scope`"),
        ("{require: maybe}", "unknown variant `maybe`"),
        ("{key: a.pub}", "unknown field `key`"),
        (
            "{identities: [{issuer: a, subject-regex: b}]}",
            "is not anchored",
        ),
        ("{deny: [latest], require: none}", "components[0].trust"),
    ] {
        let error = refused(&entry(trust));
        assert!(error.contains(told), "{trust}: {error}");
        assert!(error.contains("fleet.yaml:3"), "{trust}: {error}");
    }
}

fn lock_of(text: &str) -> Lock {
    let content = lock::Content {
        digest: Digest::of(b"1"),
        signer: None,
        imports: &["wasi:io/streams@0.2.0".to_owned()],
        tools: &[],
    };
    let manifest = loaded(text);
    Lock::new(
        manifest
            .entries
            .iter()
            .map(|entry| Locked::new(entry, &content))
            .collect(),
    )
}

#[test]
fn a_lock_is_read_as_it_was_written() {
    let lock = lock_of(SEED);
    let text = lock.to_text();
    assert!(text.starts_with("# What the manifest"), "{text}");
    assert_eq!(Lock::parse("wassette.lock", &text).unwrap(), lock);
    assert_eq!(
        Lock::parse("wassette.lock", &text.replace('\n', "\r\n")).unwrap(),
        lock
    );
}

#[test]
fn a_lock_that_is_not_whole_is_refused() {
    let text = lock_of(SEED).to_text();
    let cut: String = text.lines().take(8).collect::<Vec<_>>().join("\n");
    let parts: Vec<&str> = text.split("[[component]]").collect();
    let twice = format!("{text}\n[[component]]{}", parts[1]);
    for bad in [
        "",
        "{}",
        &cut,
        &twice,
        &text.replace("version = 1", "version = 2"),
        &text.replace("sha256:", "sha256:0"),
        &text.replace("uri = ", "url = "),
        &text[..text.len() - 30],
    ] {
        let error = Lock::parse("wassette.lock", bad).unwrap_err();
        assert_eq!(error.code(), "invalid-lock", "{bad}");
    }
}

#[test]
fn a_lock_is_held_against_what_the_manifest_says() {
    let lock = lock_of(SEED);
    assert!(lock.compare(&loaded(SEED).entries).is_exact());
    let changed = loaded(&SEED.replace("api.github.com", "other.example.com"));
    let standing = lock.compare(&changed.entries);
    assert_eq!(
        standing.changed,
        [ComponentId::parse("github-api").unwrap()]
    );
    assert!(standing.missing.is_empty() && standing.surplus.is_empty());
    let other = loaded("components: [{uri: a.wasm}]\n");
    assert!(lock.compare(&other.entries).is_of_another());
    assert!(!lock.compare(&[]).is_of_another());
}
