//! Tests with bundles that Sigstore's clients made at the public instance.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::config::{Identity, Text};
use crate::digest::Digest;
use crate::verify::SignerId;

fn fixture(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/fixtures/sigstore").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn bundle(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

fn check(
    bundle: &Value,
    file: &[u8],
    signers: &Signers,
) -> Result<crate::verify::Signer, Rejected> {
    let material = Material::Bundle {
        bundle: bundle.to_string(),
    };
    let subject = Subject {
        digest: Digest::of(file),
        bytes: None,
    };
    let root = &Roots::default().get(None).unwrap();
    material.check(subject, Believed { signers, root })
}

fn identity(subject: Text, issuer: &str) -> Signers {
    Signers::Of {
        identities: vec![Identity {
            issuer: Text::Exact(issuer.into()),
            subject,
        }],
        keys: Vec::new(),
    }
}

/// A message and a statement.
const PUBLIC: [(&str, &str); 2] = [
    ("cosign-v3-blob.sigstore.json", "cosign-v3-blob.txt"),
    (
        "conda-attestation.sigstore.json",
        "signed-package-2.1.0-hb0f4dca_0.conda",
    ),
];

#[test]
fn bundles_of_the_public_instance_are_verified() {
    for (name, file) in PUBLIC {
        let (bundle, file) = (bundle(name), bytes(file));
        let signer = check(&bundle, &file, &Signers::Anyone).unwrap();
        assert!(
            signer.signed_at.is_some() && signer.log_index.is_some(),
            "{name}"
        );
        let SignerId::Identity { subject, issuer } = &signer.id else {
            panic!("{name}: {signer:?}");
        };
        let exactly = Text::Exact(subject.clone());
        let evil = Text::anchored("^https://github\\.com/wassette-evil/.*$".into()).unwrap();
        assert_eq!(
            check(&bundle, &file, &identity(exactly.clone(), issuer)),
            Ok(signer.clone())
        );
        for wrong in [
            identity(evil, issuer),
            identity(exactly, "https://evil.example"),
            Signers::Of {
                identities: Vec::new(),
                keys: Vec::new(),
            },
        ] {
            let refused = check(&bundle, &file, &wrong);
            assert_eq!(refused, Err(Rejected::OtherSigner(signer.id.clone())));
        }
        assert_eq!(
            check(&bundle, &file, &Signers::Same(signer.id.clone())),
            Ok(signer)
        );
        let other = check(&bundle, b"another", &Signers::Anyone);
        assert!(
            matches!(other, Err(Rejected::OtherDigest | Rejected::Invalid(_))),
            "{name}: {other:?}"
        );
    }
}

#[test]
fn a_bundle_of_a_key_is_verified_with_that_key_alone() {
    let (bundle, file) = (
        bundle("managed-key.sigstore.json"),
        bytes("managed-key.txt"),
    );
    let key = PublicKey::read(&fixture("managed-key.pub")).unwrap();
    let signers = Signers::Of {
        identities: Vec::new(),
        keys: vec![key.clone()],
    };
    let signer = check(&bundle, &file, &signers).unwrap();
    assert_eq!(signer.id, key.id());
    assert!(signer.log_index.is_some());
    assert_eq!(check(&bundle, &file, &Signers::Same(key.id())), Ok(signer));
    // `Anyone` needs a certificate: a key does not identify a signer.
    assert_eq!(
        check(&bundle, &file, &Signers::Anyone),
        Err(Rejected::OtherKey)
    );
    assert_eq!(
        check(&bundle, b"another", &signers),
        Err(Rejected::OtherDigest)
    );
    // The log entry must be valid, although the key would be enough.
    let mut forged = bundle.clone();
    let set = "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp";
    *forged.pointer_mut(set).unwrap() = json!("MEQCIA==");
    check(&forged, &file, &signers).unwrap_err();
}

#[test]
fn what_is_no_bundle_is_refused() {
    for text in ["", "{}", "[]", "null", "\u{0}", "{\"mediaType\":\"x\"}"] {
        for material in Material::of_file(text) {
            let subject = Subject {
                digest: Digest::of(b""),
                bytes: None,
            };
            let root = Roots::default().get(None).unwrap();
            let signers = &Signers::Anyone;
            let root = &root;
            let refused = material.check(subject, Believed { signers, root });
            assert!(matches!(refused, Err(Rejected::Unreadable(_))), "{text}");
        }
    }
}

#[test]
fn a_file_of_bundles_is_one_or_many() {
    let one = bundle("cosign-v3-blob.sigstore.json");
    let wrapped = json!({ "bundle": one.clone(), "repository_id": 1 });
    let pretty = serde_json::to_string_pretty(&one).unwrap();
    for (text, count) in [
        (one.to_string(), 1),
        (pretty, 1),
        (wrapped.to_string(), 1),
        (format!("{one}\n{wrapped}\n\n"), 2),
    ] {
        let found = Material::of_file(&text);
        assert_eq!(found.len(), count);
        for material in found {
            let Material::Bundle { bundle } = material else {
                panic!("{material:?}");
            };
            assert!(bundle.contains("verificationMaterial"), "{bundle}");
            assert!(!bundle.contains("repository_id"), "{bundle}");
        }
    }
}

#[test]
fn files_with_a_byte_order_mark_are_read() {
    let lines = Material::of_file("\u{feff}{\"a\": 1}\r\n{\"b\": 2}\r\n");
    let bundle = |text: &str| Material::Bundle {
        bundle: text.to_owned(),
    };
    assert_eq!(lines, [bundle("{\"a\": 1}"), bundle("{\"b\": 2}")]);
    let whole = Material::of_file("\u{feff}{\r\n\"a\": 1\r\n}");
    assert_eq!(whole.len(), 1);
}
