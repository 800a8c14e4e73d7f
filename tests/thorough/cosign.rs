//! Keys and signatures in cosign's formats, read by another implementation.

use std::process::Command;

use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::installed;
use crate::support::node::Node;
use crate::support::pusher::Pusher;
use crate::support::registry::Registry;

const PASSWORD: &str = "correct horse";

#[tokio::test]
async fn the_sigstore_crate_opens_our_keys_and_verifies_our_signatures() {
    let (node, registry) = (Node::new(), Registry::start());
    let reference = registry.reference("acme/answer:v1");
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    Pusher::new()
        .push(&reference, &artifact)
        .await
        .expect("a push");
    for args in [
        &["key", "generate", "acme"][..],
        &["key", "generate", "other"],
        &["sign", &reference, "--key", "acme.key", "--legacy"],
    ] {
        let mut command = node.place.wassette(args);
        command
            .current_dir(node.place.path(""))
            .env("COSIGN_PASSWORD", PASSWORD);
        let output = command.output().await.expect("it runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
    let image = format!("{}/acme/answer:v1", registry.address());
    let reader = installed::require("sigstore", "debug/sigstore-reader", "tests/thorough/run");
    // Only the signature under cosign's tag: docker-registry does not list referrers.
    for (name, verified) in [("acme", 1), ("other", 0)] {
        let key = node.place.path(&format!("{name}.key"));
        let read = Command::new(&reader)
            .arg(key)
            .args([PASSWORD, &image])
            .output()
            .expect("it runs");
        assert!(read.status.success(), "{read:?}");
        let public_key = node.place.path(&format!("{name}.pub"));
        let public_key = std::fs::read_to_string(public_key).expect("a key");
        let printed = String::from_utf8(read.stdout).expect("text");
        assert_eq!(printed, format!("{public_key}\n{verified}\n"));
    }
}
