//! The key `trust` of a manifest's entry.

use crate::support::node::Node;
use crate::support::signing::Key;

use super::{Registries, attach, component, push, text, write_config};

/// The output of `apply`, or its error.
async fn apply(node: &Node) -> Result<String, String> {
    let manifest = node.place.path("fleet.yaml");
    let args = ["apply", "-f", text(&manifest), "-o", "json"];
    let output = node.run(&args).await;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[tokio::test]
async fn an_entry_is_held_to_its_own_rule_and_to_those_of_the_configuration() {
    let registries = Registries::start().await;
    let (key, other) = (Key::new("P-256"), Key::new("P-256"));
    for reference in registries.references("acme/answer") {
        let node = Node::new();
        write_config(&node, "");
        let artifact = component();
        let digest = push(&reference, &artifact).await;
        // A relative path starts from the manifest.
        std::fs::copy(key.public(), node.place.path("acme.pub")).expect("copied");
        let entry = |trust: &str| {
            let text = format!("components:\n- uri: {reference}:v1\n  trust: {trust}\n");
            std::fs::write(node.place.path("fleet.yaml"), text).expect("written");
        };
        entry("{require: signature, keys: [acme.pub]}");
        let told = apply(&node).await.expect_err("it is not signed");
        assert!(told.contains("signature-required"), "{told}");
        assert!(!node.component("answer").exists(), "it was installed");

        attach(&reference, &artifact, &[&key.statement(digest)]).await;
        entry(&format!("{{keys: ['{}']}}", text(&other.public())));
        let told = apply(&node).await.expect_err("another signed it");
        assert!(told.contains("signature-rejected"), "{told}");
        entry(&format!("{{require: none, deny: ['{digest}']}}"));
        let told = apply(&node).await.expect_err("it is denied");
        assert!(told.contains("digest-denied"), "{told}");
        entry("{require: digest}");
        let told = apply(&node).await.expect_err("no digest is given");
        assert!(told.contains("digest-required"), "{told}");

        // Neither rule loosens the other.
        write_config(
            &node,
            &format!(
                "[[trust]]\nscope = '*'\nrequire = 'signature'\nkeys = ['{}']\n",
                text(&other.public())
            ),
        );
        for trust in ["{require: none}", "{keys: [acme.pub]}"] {
            entry(trust);
            let told = apply(&node).await.expect_err("a rule is not met");
            assert!(told.contains("signature-rejected"), "{trust}: {told}");
        }
        write_config(&node, "");
        entry("{keys: [acme.pub]}");
        apply(&node).await.expect("it is signed");

        // It also applies to an installed component.
        entry(&format!("{{keys: ['{}']}}", text(&other.public())));
        let told = apply(&node).await.expect_err("another signed it");
        assert!(told.contains("lock-stale"), "{told}");
        std::fs::remove_file(node.place.path("wassette.lock")).expect("removed");
        let told = apply(&node).await.expect_err("another signed it");
        assert!(told.contains("signature-rejected"), "{told}");

        // An export names the signer, which another root then requires.
        let elsewhere = Node::new();
        let exported = node.run(&["export"]).await.stdout;
        let exported = String::from_utf8(exported).expect("text");
        assert!(exported.contains("BEGIN PUBLIC KEY"), "{exported}");
        let manifest = elsewhere.place.path("fleet.yaml");
        std::fs::write(&manifest, &exported).expect("written");
        apply(&elsewhere).await.expect("the same key signed it");
        let [ours, theirs] = [&key, &other].map(|key| {
            let pem = std::fs::read_to_string(key.public()).expect("a key");
            pem.lines().nth(1).expect("a line").to_owned()
        });
        let elsewhere = Node::new();
        let forged = exported.replace(&ours, &theirs);
        assert_ne!(forged, exported);
        std::fs::write(elsewhere.place.path("fleet.yaml"), forged).expect("written");
        apply(&elsewhere).await.expect_err("another key");
    }
}
