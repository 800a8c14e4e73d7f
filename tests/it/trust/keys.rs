//! Signatures made with keys by openssl.

use serde_json::json;
use wassette::digest::Digest;

use crate::support::node::Node;
use crate::support::signing::{KINDS, Key};

use super::{
    Registries, attach, component, done, other_component, push, refused, tag_signatures, text,
};

#[tokio::test]
async fn each_kind_of_key_in_each_format_at_each_registry() {
    let registries = Registries::start().await;
    let artifact = component();
    let node = Node::new();
    for kind in KINDS {
        let key = Key::new(kind);
        let (public, other) = (key.public(), Key::new("P-256"));
        let name = kind.to_lowercase();
        for format in ["statement", "message", "cosign"] {
            for reference in registries.references(&format!("acme/{name}-{format}")) {
                let digest = push(&reference, &artifact).await;
                match format {
                    "statement" => attach(&reference, &artifact, &[&key.statement(digest)]).await,
                    "message" => {
                        let bundle = key.message(&artifact.bytes());
                        attach(&reference, &artifact, &[&bundle]).await;
                    }
                    _ => tag_signatures(&reference, digest, &[key.simple_signing(digest)]).await,
                }
                let tagged = format!("{reference}:v1");
                if (kind, format) == ("P-384", "message") {
                    // The signature's hash differs from the one that the bundle names.
                    continue;
                }
                let report = done(&node, &["verify", &tagged, "--key", text(&public)]).await;
                assert_eq!(report["verified"], true, "{kind} {format}: {report}");
                assert_eq!(report["digest"], digest.to_string());
                let wrong = other.public();
                let (code, words) =
                    refused(&node, &["verify", &tagged, "--key", text(&wrong)]).await;
                assert_eq!(code, "signature-rejected", "{kind} {format}: {words}");
            }
        }
    }
}

#[tokio::test]
async fn a_load_asks_for_the_key_that_is_given_and_remembers_it() {
    let registries = Registries::start().await;
    let [key, other, stranger] = ["P-256"; 3].map(Key::new);
    for reference in registries.references("acme/answer") {
        let (node, tagged) = (Node::new(), format!("{reference}:v1"));
        let artifact = component();
        let digest = push(&reference, &artifact).await;
        let (public, strangers) = (key.public(), stranger.public());
        let with_key = ["load", &tagged, "--key", text(&public)];
        let with_stranger = ["load", &tagged, "--key", text(&strangers)];
        let (code, _) = refused(&node, &with_key).await;
        assert_eq!(code, "signature-required");
        assert!(!node.component("answer").exists(), "it was installed");

        attach(&reference, &artifact, &[&other.statement(digest)]).await;
        let (code, _) = refused(&node, &with_key).await;
        assert_eq!(code, "signature-rejected");

        // Invalid and other signers' signatures before the valid one are skipped.
        let garbage = json!({ "mediaType": "nonsense" });
        let elsewhere = key.statement(Digest::of(b"another"));
        attach(&reference, &artifact, &[&garbage, &elsewhere]).await;
        let (code, words) = refused(&node, &with_key).await;
        assert_eq!(code, "signature-rejected", "{words}");
        assert!(words.contains("another digest"), "{words}");
        attach(&reference, &artifact, &[&key.statement(digest)]).await;
        let loaded = done(&node, &with_key).await;
        let trust = &loaded["receipt"]["trust"];
        assert_eq!(trust["signature"], "signed", "{loaded}");
        assert_eq!(trust["signer"]["kind"], "key");

        // The evidence verifies again, without the network.
        let verified = done(&node, &["cache", "verify", "--offline"]).await;
        assert_eq!(verified["components"][0]["faults"], json!([]), "{verified}");
        let evidence = node.component("answer").join("answer.evidence.json");
        let forged = std::fs::read_to_string(&evidence).expect("evidence");
        let forged = forged.replace(&digest.hex(), &Digest::of(b"x").hex());
        std::fs::write(&evidence, forged).expect("written");
        let output = node.run(&["cache", "verify"]).await;
        assert!(!output.status.success(), "a forgery was taken");

        // The installed version is loaded again only for its own signer.
        let again = done(&node, &with_key).await;
        assert_eq!(again["status"], "already-loaded");
        let (code, _) = refused(&node, &with_stranger).await;
        assert_eq!(code, "signature-rejected");

        // The next version has another signer, or none.
        let next = other_component();
        let next_digest = push(&reference, &next).await;
        for attached in [None, Some(other.statement(next_digest))] {
            if let Some(bundle) = &attached {
                attach(&reference, &next, &[bundle]).await;
            }
            let (code, words) = refused(&node, &["load", &tagged]).await;
            assert_eq!(code, "signer-changed", "{words}");
            let (code, _) = refused(&node, &["update", "answer", "--accept"]).await;
            assert_eq!(code, "signer-changed");
        }
        let listed = done(&node, &["list"]).await;
        assert!(listed.to_string().contains(&digest.to_string()), "{listed}");
        let accept = ["update", "answer", "--accept", "--accept-signer"];
        let updated = done(&node, &accept).await;
        assert_eq!(updated["components"][0]["status"], "updated", "{updated}");
        let listed = done(&node, &["list"]).await;
        assert!(listed.to_string().contains(&next_digest.to_string()));
        assert!(
            !node
                .component("answer")
                .join("answer.evidence.json")
                .exists()
        );
    }
}

#[tokio::test]
async fn what_is_no_public_key_is_told() {
    let node = Node::new();
    let key = Key::new("P-256");
    let certificates = crate::support::certificates::Certificates::new();
    let file = node.place.path("x.wasm");
    std::fs::write(&file, b"x").expect("written");
    let weak = node.place.path("weak.pub");
    std::fs::write(
        &weak,
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    )
    .expect("written");
    for (given, words) in [
        (certificates.authority(), "it is a certificate"),
        (key.private(), "it is a private key"),
        (file.clone(), "no PEM file"),
        (weak, "its algorithm"),
        (node.place.path("nowhere"), "it cannot be read"),
    ] {
        let output = node
            .run(&["verify", text(&file), "--key", text(&given)])
            .await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn a_file_is_verified_by_the_bundle_beside_it_or_given() {
    let node = Node::new();
    for kind in KINDS {
        let key = Key::new(kind);
        let file = node.place.path("tool.wasm");
        std::fs::write(&file, kind).expect("written");
        let beside = node.place.path("tool.wasm.sigstore.json");
        let digest = Digest::of(kind.as_bytes());
        std::fs::write(&beside, key.statement(digest).to_string()).expect("written");
        let public = key.public();
        let args = ["verify", text(&file), "--key", text(&public)];
        assert_eq!(done(&node, &args).await["verified"], true, "{kind}");
        std::fs::remove_file(&beside).expect("removed");
        let (code, _) = refused(&node, &args).await;
        assert_eq!(code, "signature-required");
        let lines = node.place.path("bundles.jsonl");
        let (good, bad) = (key.statement(digest), key.statement(Digest::of(b"x")));
        std::fs::write(&lines, format!("{bad}\n\n{good}\n")).expect("written");
        let with = [&args[..], &["--bundle", text(&lines)]].concat();
        assert_eq!(done(&node, &with).await["verified"], true, "{kind}");
    }
}
