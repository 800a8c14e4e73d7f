//! `[[trust]]` in `config.toml`, and the reported trust without rules.

use axum::http::StatusCode;
use axum::response::IntoResponse;

use wassette::digest::Digest;

use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest};
use crate::support::node::Node;
use crate::support::signing::Key;

use super::{
    Registries, attach, component, done, other_component, push, refused, text, write_config,
};

#[tokio::test]
async fn without_rules_a_signature_is_reported_and_not_required() {
    let registries = Registries::start().await;
    for reference in registries.references("acme/answer") {
        let node = Node::new();
        push(&reference, &component()).await;
        let tagged = format!("{reference}:v1");
        let loaded = done(&node, &["load", &tagged]).await;
        assert_eq!(loaded["receipt"]["trust"], "unsigned");
        let listed = done(&node, &["list"]).await;
        assert!(
            listed.to_string().contains("\"trust\":\"unsigned\""),
            "{listed}"
        );
        let inspected = done(&node, &["inspect", &tagged]).await;
        assert_eq!(inspected["trust"], "unsigned");
        let output = node.run(&["inspect", "answer"]).await;
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("unsigned"), "{shown}");
    }
}

#[tokio::test]
async fn a_rule_decides_for_its_scope() {
    let registries = Registries::start().await;
    let (key, other) = (Key::new("P-256"), Key::new("P-256"));
    for reference in registries.references("acme/tools/answer") {
        let host = reference.strip_prefix("oci://").expect("a reference");
        let host = host.split('/').next().expect("a host");
        let node = Node::new();
        let artifact = component();
        let digest = push(&reference, &artifact).await;
        let tagged = format!("{reference}:v1");
        let rule =
            |scope: &str, rest: &str| format!("[[trust]]\nscope = '{host}{scope}'\n{rest}\n");
        let key_of = |key: &Key| format!("keys = ['{}']", text(&key.public()));
        let required = |scope: &str, key: &Key| {
            rule(scope, &format!("require = 'signature'\n{}", key_of(key)))
        };

        write_config(&node, &rule("/*", "require = 'signature'"));
        let (code, _) = refused(&node, &["load", &tagged]).await;
        assert_eq!(code, "no-signer-named");

        write_config(&node, &required("/acme/*", &key));
        let (code, _) = refused(&node, &["load", &tagged]).await;
        assert_eq!(code, "signature-required");
        let skip = ["load", &tagged, "--skip-verification"];
        let (code, _) = refused(&node, &skip).await;
        assert_eq!(code, "signature-required");

        attach(&reference, &artifact, &[&key.statement(digest)]).await;
        // The right key, for another scope.
        write_config(
            &node,
            &(required("/acme/*", &other) + &required("/acme-2/*", &key)),
        );
        let (code, _) = refused(&node, &["load", &tagged]).await;
        assert_eq!(code, "signature-rejected");
        // The most specific rule decides, wherever it stands in the file.
        let broad = required("/acme/*", &other);
        let narrow = required("/acme/tools/*", &key);
        for config in [broad.clone() + &narrow, narrow.clone() + &broad] {
            write_config(&node, &config);
            done(&node, &["load", &tagged]).await;
            node.unload("answer").await;
        }
        let none = rule("/acme/tools/*", "require = 'none'");
        write_config(&node, &(broad + &none));
        done(&node, &["load", &tagged]).await;
        // A component loaded before the rule must meet it when it is loaded again.
        write_config(&node, &required("/*", &other));
        let (code, _) = refused(&node, &["load", &tagged]).await;
        assert_eq!(code, "signature-rejected");
        write_config(&node, &required("/*", &key));
        let again = done(&node, &["load", &tagged]).await;
        assert_eq!(again["receipt"]["trust"]["signature"], "signed");
        done(&node, &["cache", "verify"]).await;

        write_config(&node, &rule("/*", "require = 'digest'"));
        let (code, _) = refused(&node, &["load", &tagged]).await;
        assert_eq!(code, "digest-required");
        let digest = digest.to_string();
        done(&node, &["load", &tagged, "--digest", &digest]).await;

        write_config(
            &node,
            &rule("/elsewhere/*", &format!("deny = ['{digest}']")),
        );
        let (code, _) = refused(&node, &["load", &tagged]).await;
        assert_eq!(code, "digest-denied");
        let output = node.run(&["tools"]).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains("is not served"), "{output:?}");
    }
}

#[tokio::test]
async fn the_digest_that_is_pulled_is_the_one_that_is_signed() {
    let registries = Registries::start().await;
    let key = Key::new("P-256");
    for reference in registries.references("acme/answer") {
        let node = Node::new();
        write_config(
            &node,
            &format!(
                "[[trust]]\nscope = '*'\nrequire = 'signature'\nkeys = ['{}']\n",
                text(&key.public())
            ),
        );
        let (signed, unsigned) = (component(), other_component());
        let digest = push(&reference, &signed).await;
        attach(&reference, &signed, &[&key.statement(digest)]).await;
        let tagged = format!("{reference}:v1");
        done(&node, &["verify", &tagged]).await;
        // The tag moves after it was verified.
        push(&reference, &unsigned).await;
        let (code, _) = refused(&node, &["load", &tagged]).await;
        assert_eq!(code, "signature-required");
        // The signed content is still available by its digest.
        let pinned = format!("{reference}@{digest}");
        let loaded = done(&node, &["load", &pinned]).await;
        assert_eq!(loaded["receipt"]["trust"]["trust"], "pinned");
    }
}

/// A registry whose referrers and cosign's tag cannot be read.
async fn without_an_answer() -> Faults {
    let honest = Honest::new(&component());
    Faults::start(move |seen| {
        let asks_for_signatures =
            seen.target.contains("/referrers/") || seen.target.contains("/manifests/sha256-");
        match asks_for_signatures {
            true => (StatusCode::INTERNAL_SERVER_ERROR, "no").into_response(),
            false => honest.answer(seen),
        }
    })
    .await
}

#[tokio::test]
async fn no_answer_is_not_unsigned() {
    let server = without_an_answer().await;
    let node = Node::new();
    let tagged = server.reference("acme/answer:v1");
    write_config(&node, "");
    let loaded = done(&node, &["load", &tagged]).await;
    assert_eq!(loaded["receipt"]["trust"], "unknown");
    node.unload("answer").await;
    let key = Key::new("P-256");
    let rule = format!(
        "[[trust]]\nscope = '*'\nrequire = 'signature'\nkeys = ['{}']\n",
        text(&key.public())
    );
    write_config(&node, &rule);
    let (code, words) = refused(&node, &["load", &tagged]).await;
    assert_eq!(code, "signature-unknown", "{words}");
    assert!(!node.component("answer").exists());
}

#[tokio::test]
async fn rules_that_make_no_sense_are_refused_at_once() {
    let node = Node::new();
    for (rule, words) in [
        ("scope = '*'\nrequire = 'maybe'", "unknown value"),
        ("scope = '*'\nrequire = 'none'\nkey = 'x'", "unknown field"),
        ("scope = '*'", "names what it requires"),
        ("require = 'none'", "`scope` is missing"),
        ("scope = 'ghcr.io/a*'\nrequire = 'none'", "is not a scope"),
        (
            "scope = '*'\nrequire = 'signature'\nidentities = [{ issuer = 'x', subject-regex = 'a' }]",
            "is not anchored",
        ),
        (
            "scope = '*'\nrequire = 'signature'\nidentities = [{ issuer = 'x', subject-regex = '^(a$' }]",
            "is not a valid pattern",
        ),
        (
            "scope = '*'\nrequire = 'signature'\nidentities = [{ issuer = 'x' }]",
            "either `subject` or `subject-regex`",
        ),
        (
            "scope = 'a.io/*'\nrequire = 'none'\n[[trust]]\nscope = 'a.io'\nrequire = 'digest'",
            "two rules decide",
        ),
    ] {
        write_config(&node, &format!("[[trust]]\n{rule}\n"));
        let output = node.run(&["list"]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{rule}: {told}");
        assert!(told.contains(words), "{rule}: {told}");
    }
}

#[tokio::test]
#[cfg(unix)]
async fn no_name_and_no_link_leads_out_of_a_rule() {
    use std::os::unix::ffi::OsStrExt as _;
    let node = Node::new();
    let strict = node.place.path("strict");
    let odd = strict.join(std::ffi::OsStr::from_bytes(b"\xff"));
    std::fs::create_dir_all(&odd).expect("made");
    std::fs::write(odd.join("x.wasm"), binary(ANSWER)).expect("written");
    std::os::unix::fs::symlink(&strict, node.place.path("link")).expect("linked");
    let place = text(&node.place.path("")).trim_end_matches('/').to_owned();
    for scope in ["strict", "link"] {
        write_config(
            &node,
            &format!("[[trust]]\nscope = 'file://{place}/{scope}/*'\nrequire = 'digest'\n"),
        );
        let path = format!("file://{place}/{scope}/%FF/x.wasm");
        let (code, _) = refused(&node, &["load", &path]).await;
        assert_eq!(code, "digest-required", "{scope}");
    }
    write_config(
        &node,
        &format!("[[trust]]\nscope = 'file://{place}/strict/*'\nrequire = 'digest'\n"),
    );
    let path = format!("file://{place}/link/%FF/x.wasm");
    let (code, _) = refused(&node, &["load", &path]).await;
    assert_eq!(code, "digest-required");
    let digest = Digest::of(&binary(ANSWER)).to_string();
    done(&node, &["load", &path, "--digest", &digest]).await;
}

/// A list of candidates that cannot be fetched.
fn listed(count: usize, size: u64) -> String {
    let one = |at: usize| {
        serde_json::json!({
            "mediaType": crate::support::artifact::MANIFEST,
            "artifactType": crate::support::signing::BUNDLE,
            "digest": Digest::of(at.to_string().as_bytes()).to_string(),
            "size": size,
        })
    };
    let manifests: Vec<_> = (0..count).map(one).collect();
    serde_json::json!({ "schemaVersion": 2, "manifests": manifests }).to_string()
}

#[tokio::test]
async fn however_many_signatures_are_listed_few_are_looked_at() {
    let key = Key::new("P-256");
    let rule = format!(
        "[[trust]]\nscope = '*'\nrequire = 'signature'\nkeys = ['{}']\n",
        text(&key.public())
    );
    for (count, size, words) in [
        (10_000, 500, "were not looked at"),
        (1, 1 << 30, "which is too many"),
    ] {
        let honest = Honest::new(&component());
        let list = listed(count, size);
        let server = Faults::start(move |seen| {
            if seen.target.contains("/referrers/") {
                return list.clone().into_response();
            }
            match seen.target.contains("/manifests/sha256-") {
                true => StatusCode::NOT_FOUND.into_response(),
                false => honest.answer(seen),
            }
        })
        .await;
        let node = Node::new();
        write_config(&node, &rule);
        let tagged = server.reference("acme/answer:v1");
        let (code, told) = refused(&node, &["verify", &tagged]).await;
        assert_eq!(code, "signature-rejected", "{told}");
        assert!(told.contains(words), "{told}");
        let asked = server.seen().len();
        assert!(asked < 50, "{asked} requests");
    }
}
