//! Signatures with certificates, as Sigstore's JavaScript clients make them.

use serde_json::{Value, json};

use crate::support::node::Node;
use crate::support::signing::{Ask, Cosign, Keyless, What, payload};

use super::{
    Registries, attach, component, done, other_component, push, refused, tag_signatures, text,
    write_config,
};

const SUBJECT: &str = "https://github.com/acme/tools/.github/workflows/release.yml@refs/tags/v1";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

fn ask(what: What<'_>) -> Ask<'_> {
    Ask {
        subject: SUBJECT,
        issuer: ISSUER,
        what,
    }
}

#[tokio::test]
async fn statements_messages_and_cosigns_format_are_taken() {
    let registries = Registries::start().await;
    let artifact = component();
    let digest = artifact.digest();
    let bytes = artifact.bytes();
    let payload = payload(digest);
    let made = Keyless::sign(&[
        ask(What::Statement(digest)),
        ask(What::Message(&bytes)),
        ask(What::Message(payload.as_bytes())),
    ]);
    let root = made.root();
    let node = Node::new();
    for (at, format) in ["statement", "message", "cosign"].iter().enumerate() {
        for reference in registries.references(&format!("acme/{format}")) {
            push(&reference, &artifact).await;
            let bundle = &made.bundles[at];
            match *format {
                "cosign" => {
                    let cosign = Cosign::of_bundle(payload.clone(), bundle);
                    tag_signatures(&reference, digest, &[cosign]).await;
                }
                _ => attach(&reference, &artifact, &[bundle]).await,
            }
            let tagged = format!("{reference}:v1");
            let verify = |identity: &'static [&'static str]| {
                let root = ["--trusted-root", text(&root)];
                [&["verify", &tagged][..], identity, &root].concat()
            };
            let exact = verify(&[
                "--certificate-identity",
                SUBJECT,
                "--certificate-oidc-issuer",
                ISSUER,
            ]);
            let report = done(&node, &exact).await;
            let found = &report["signatures"][0];
            assert_eq!(report["verified"], true, "{format}: {report}");
            assert_eq!(found["signer"]["subject"], SUBJECT);
            assert!(found["signed_at"].is_string() && found["log_index"].is_number());
            done(
                &node,
                &verify(&[
                    "--certificate-identity-regexp",
                    r"^https://github\.com/acme/.*$",
                    "--certificate-oidc-issuer-regexp",
                    r"^https://token\.actions\..*$",
                ]),
            )
            .await;
            for wrong in [
                ["--certificate-identity", "https://github.com/acme", ISSUER],
                ["--certificate-identity", SUBJECT, "https://evil.example"],
                [
                    "--certificate-identity-regexp",
                    r"^https://github\.com/acme-evil/.*$",
                    ISSUER,
                ],
            ] {
                let [option, identity, issuer] = wrong;
                let args = [
                    "verify",
                    &tagged,
                    option,
                    identity,
                    "--certificate-oidc-issuer",
                    issuer,
                    "--trusted-root",
                    text(&root),
                ];
                let (code, words) = refused(&node, &args).await;
                assert_eq!(code, "signature-rejected", "{words}");
            }
            // The public root does not have this CA.
            let public = &exact[..exact.len() - 2];
            let (code, _) = refused(&node, public).await;
            assert_eq!(code, "signature-rejected");
        }
    }
}

/// Changes one member of a bundle, by its path.
fn changed(bundle: &Value, path: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut bundle = bundle.clone();
    change(bundle.pointer_mut(path).expect(path));
    bundle
}

#[tokio::test]
async fn what_was_tampered_with_is_refused() {
    let registries = Registries::start().await;
    let reference = registries.ferro.reference("acme/answer");
    let artifact = component();
    let digest = push(&reference, &artifact).await;
    let made = Keyless::sign(&[
        ask(What::Statement(digest)),
        ask(What::Statement(wassette::digest::Digest::of(b"another"))),
        ask(What::Statement(digest)),
    ]);
    let stranger = Keyless::sign(&[ask(What::Statement(digest))]);
    let [good, elsewhere, second] = &made.bundles[..] else {
        panic!("three bundles");
    };
    let material = "/verificationMaterial";
    let entry = "/verificationMaterial/tlogEntries/0";
    let member = |path: &str| -> Value { second.pointer(path).expect(path).clone() };
    let replaced = |path: &str| changed(good, path, |value| *value = member(path));
    let removed = |path: &str, name: &str| {
        changed(good, path, |value| {
            value.as_object_mut().expect("an object").remove(name);
        })
    };
    let mut cases = vec![
        ("for another digest", elsewhere.clone()),
        ("by another CA", stranger.bundles[0].clone()),
        (
            "without a log entry",
            changed(good, material, |value| {
                value["tlogEntries"] = json!([]);
            }),
        ),
        ("without a proof", removed(entry, "inclusionProof")),
        (
            "without a promise or time",
            removed(entry, "inclusionPromise"),
        ),
        ("with a stapled log entry", replaced(entry)),
        (
            "with another certificate",
            replaced("/verificationMaterial/certificate"),
        ),
        (
            "with another signature",
            replaced("/dsseEnvelope/signatures"),
        ),
        (
            "at another time",
            changed(good, &format!("{entry}/integratedTime"), |value| {
                *value = json!("1700000000");
            }),
        ),
    ];
    for part in [
        "inclusionProof/checkpoint/envelope",
        "inclusionProof/rootHash",
        "inclusionPromise/signedEntryTimestamp",
        "canonicalizedBody",
    ] {
        cases.push((part, replaced(&format!("{entry}/{part}"))));
    }
    let root = made.root();
    let node = Node::new();
    let options = [
        "--certificate-identity",
        SUBJECT,
        "--certificate-oidc-issuer",
        ISSUER,
        "--trusted-root",
        text(&root),
    ];
    let file = node.place.path("bundle.json");
    let tagged = format!("{reference}:v1");
    let bundle = ["--bundle", text(&file)];
    let args = [&["verify", &tagged][..], &options, &bundle].concat();
    for (what, bundle) in &cases {
        std::fs::write(&file, bundle.to_string()).expect("written");
        let (code, words) = refused(&node, &args).await;
        assert_eq!(code, "signature-rejected", "{what}: {words}");
    }
    // Unknown members, which a newer writer may add, are ignored.
    let mut newer = good.clone();
    newer["unknown"] = json!({ "a": 1 });
    for bundle in [good, &newer] {
        std::fs::write(&file, bundle.to_string()).expect("written");
        done(&node, &args).await;
    }
    // The same applies to signatures stored beside the artifact.
    let all: Vec<&Value> = cases.iter().map(|(_, bundle)| bundle).collect();
    attach(&reference, &artifact, &all).await;
    let load = [&["load", &tagged][..], &options].concat();
    let (code, _) = refused(&node, &load).await;
    assert_eq!(code, "signature-rejected");
    attach(&reference, &artifact, &[good]).await;
    let loaded = done(&node, &load).await;
    let signer = &loaded["receipt"]["trust"]["signer"];
    assert_eq!(signer["subject"], SUBJECT, "{loaded}");
}

#[tokio::test]
async fn an_update_that_was_signed_earlier_is_refused() {
    let registries = Registries::start().await;
    let (first, second) = (component(), other_component());
    // The version that is installed first has the latest signature.
    let made = Keyless::sign(&[
        ask(What::Statement(second.digest())),
        ask(What::Statement(first.digest())),
        ask(What::Statement(second.digest())),
    ]);
    let [old, installed, new] = &made.bundles[..] else {
        panic!("three bundles");
    };
    let rule = format!(
        "[[trust]]\nscope = '*'\ntrusted-root = '{}'\n\
         identities = [{{ issuer = '{ISSUER}', subject = '{SUBJECT}' }}]\n",
        text(&made.root())
    );
    for reference in registries.references("acme/answer") {
        let (node, tagged) = (Node::new(), format!("{reference}:v1"));
        write_config(&node, &rule);
        push(&reference, &first).await;
        attach(&reference, &first, &[installed]).await;
        done(&node, &["load", &tagged]).await;
        // The installed version can be loaded again, since it is not older than itself.
        done(&node, &["load", &tagged]).await;

        push(&reference, &second).await;
        attach(&reference, &second, &[old]).await;
        for args in [&["load", &tagged][..], &["update", "answer", "--accept"]] {
            let (code, words) = refused(&node, args).await;
            assert_eq!(code, "signed-earlier", "{words}");
        }
        let accept = ["update", "answer", "--accept", "--accept-signer"];
        done(&node, &accept).await;

        // If there are several signatures, a later one is accepted.
        let node = Node::new();
        write_config(&node, &rule);
        let pinned = format!("{reference}@{}", first.digest());
        done(&node, &["load", &pinned]).await;
        attach(&reference, &second, &[new]).await;
        done(&node, &["load", &tagged, "--name", "answer"]).await;
    }
}
