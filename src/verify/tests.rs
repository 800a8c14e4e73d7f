use std::collections::BTreeMap;

use super::*;
use crate::fetch::{Blob, Receipt, WasmConfig};
use crate::registry::Visibility;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn fetched(reference: &str, config_layers: Option<&[&str]>) -> Fetched {
    let component = Blob {
        path: "component.wasm".into(),
        digest: digest("component"),
        size: 9,
    };
    let config = config_layers.map(|layers| WasmConfig {
        created: None,
        author: None,
        architecture: "wasm".to_owned(),
        os: "wasip2".to_owned(),
        layer_digests: layers.iter().map(|layer| digest(layer)).collect(),
        component: None,
    });
    Fetched {
        reference: reference.parse().expect("a reference"),
        identity: Identity::Oci {
            manifest_digest: digest("index"),
        },
        receipt: Receipt {
            source_host: None,
            hosts_tried: Vec::new(),
            manifest_digest: None,
            content_digest: component.digest,
            bytes_downloaded: 9,
            requests: 1,
            retries: 0,
            bytes_resumed: 0,
            openness: Visibility::Public,
            fetch_ms: 0,
        },
        component,
        artifact: Some(Artifact {
            manifest_digest: digest("manifest"),
            config,
            annotations: BTreeMap::new(),
            layer_digests: vec![digest("component"), digest("policy")],
            kept: None,
        }),
        policy: None,
    }
}

fn trust(fetched: Fetched, required: Option<Digest>) -> Result<Trust, VerifyError> {
    let requirements = Requirements {
        digest: required,
        verification: Verification::Required,
    };
    verify(fetched, &requirements, Signature::NotSought).map(|verified| verified.trust().clone())
}

fn pinned_trust() -> Trust {
    Trust {
        pinned: true,
        ..Trust::default()
    }
}

const TAGGED: &str = "oci://x.io/a:1";

#[test]
fn a_digest_may_name_index_manifest_or_component() {
    for name in ["index", "manifest", "component"] {
        assert_eq!(
            trust(fetched(TAGGED, None), Some(digest(name))),
            Ok(pinned_trust()),
            "{name}"
        );
    }
    let error = trust(fetched(TAGGED, None), Some(digest("policy"))).expect_err("another blob");
    assert_eq!(error.code(), "digest-mismatch");
    let labels: Vec<_> = error.facts().into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["required", "manifest", "component"]);
}

#[test]
fn a_pinned_reference_is_pinned() {
    assert_eq!(trust(fetched(TAGGED, None), None), Ok(Trust::default()));
    let pinned = format!("oci://x.io/a@{}", digest("index"));
    assert_eq!(trust(fetched(&pinned, None), None), Ok(pinned_trust()));
}

#[test]
fn the_config_lists_the_layers_of_the_manifest() {
    let good = ["component", "policy"];
    assert_eq!(
        trust(fetched(TAGGED, Some(&good)), None),
        Ok(Trust::default())
    );
    for bad in [&["policy", "component"][..], &["component"], &[]] {
        let error = trust(fetched(TAGGED, Some(bad)), None).expect_err("other layers");
        assert_eq!(error.code(), "layer-mismatch", "{bad:?}");
    }
}

#[test]
fn skipping_leaves_a_mark() {
    let requirements = Requirements {
        digest: Some(digest("other")),
        verification: Verification::Skipped,
    };
    let verified = verify(
        fetched(TAGGED, Some(&[])),
        &requirements,
        Signature::NotSought,
    )
    .expect("skipped");
    assert!(verified.into_parts().1.skipped);
}

#[test]
fn receipts_of_older_versions_are_read() {
    let old = serde_json::json!({
        "source_host": "x.io",
        "manifest_digest": null,
        "content_digest": digest("component"),
        "bytes_downloaded": 9,
        "requests": 2,
        "retries": 0,
        "fetch_ms": 1,
    });
    let receipt: Receipt = serde_json::from_value(old).expect("a receipt");
    assert_eq!(
        (receipt.bytes_resumed, receipt.hosts_tried),
        (0, Vec::new())
    );
}

#[test]
fn trust_is_one_word_where_one_says_all() {
    let skipped = Trust {
        skipped: true,
        ..Trust::default()
    };
    let signer = Signer {
        id: SignerId::Identity {
            subject: "a@x.io".to_owned(),
            issuer: "https://x.io".to_owned(),
        },
        signed_at: None,
        log_index: Some(7),
    };
    let with = |trust: &Trust, signature: Signature| Trust {
        signature,
        ..trust.clone()
    };
    let plain = Trust::default();
    for (trust, written, shown) in [
        (plain.clone(), r#""digest""#, "digest"),
        (pinned_trust(), r#""pinned""#, "pinned"),
        (skipped, r#""skipped""#, "skipped"),
        (
            with(&plain, Signature::Unsigned),
            r#""unsigned""#,
            "unsigned",
        ),
        (with(&plain, Signature::Unknown), r#""unknown""#, "unknown"),
        (
            with(&pinned_trust(), Signature::Unsigned),
            r#"{"trust":"pinned","signature":"unsigned"}"#,
            "pinned, unsigned",
        ),
        (
            with(&plain, Signature::Signed(signer.clone())),
            r#"{"trust":"digest","signature":"signed","signer":{"kind":"identity","subject":"a@x.io","issuer":"https://x.io","log_index":7}}"#,
            "signed by a@x.io (https://x.io)",
        ),
    ] {
        assert_eq!(serde_json::to_string(&trust).unwrap(), written);
        assert_eq!(serde_json::from_str::<Trust>(written).unwrap(), trust);
        assert_eq!(trust.to_string(), shown);
    }
    let later = Signer {
        log_index: Some(8),
        ..signer.clone()
    };
    let by = |signer| with(&plain, Signature::Signed(signer));
    assert!(by(signer.clone()).is_like(&by(later)));
    assert!(!by(signer).is_like(&plain));
    assert!(plain.is_like(&with(&plain, Signature::Unsigned)));
}
