use proptest::prelude::*;
use serde_json::{Value, json};

use super::plan::{Plan, select};
use crate::digest::Digest;
use crate::registry::{Document, InvalidManifest, Manifest};

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(content.as_bytes()).to_string(),
        "size": content.len(),
    })
}

fn manifest(layers: &[&str]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|kind| descriptor(kind, kind)).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.wasm.config.v0+json", "{}"),
        "layers": layers,
    })
}

fn index(platforms: &[(&str, &str)]) -> Value {
    let manifests: Vec<Value> = platforms
        .iter()
        .map(|(os, architecture)| {
            let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", os);
            entry["platform"] = json!({ "os": os, "architecture": architecture });
            entry
        })
        .collect();
    json!({ "schemaVersion": 2, "manifests": manifests })
}

fn parse(value: &Value) -> Result<Document, InvalidManifest> {
    Document::parse(value.to_string().as_bytes())
}

fn parse_manifest(value: &Value) -> Manifest {
    match parse(value) {
        Ok(Document::Manifest(manifest)) => manifest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn layers_are_found_in_any_order() {
    let policy = "application/vnd.wasm.policy.v1+yaml";
    for (layers, component, request) in [
        (vec!["application/wasm"], 0, None),
        (vec!["application/wasm", policy], 0, Some(1)),
        (
            vec!["text/yaml", "x/y", "application/vnd.wasm.component.v1"],
            2,
            Some(0),
        ),
        (
            vec!["application/vnd.oci.image.layer.v1.tar", "application/wasm"],
            1,
            None,
        ),
        (vec!["application/gzip", "application/wasm+zstd"], 1, None),
        (
            vec!["x/y", "application/vnd.oci.image.layer.v1.tar+gzip"],
            1,
            None,
        ),
        (vec!["application/zstd"], 0, None),
    ] {
        let manifest = parse_manifest(&manifest(&layers));
        let plan = Plan::of(&manifest).unwrap_or_else(|error| panic!("{layers:?}: {error}"));
        assert_eq!(plan.component.index, component, "{layers:?}");
        assert_eq!(plan.policy.map(|layer| layer.index), request, "{layers:?}");
        assert!(plan.config.is_some());
    }
}

#[test]
fn layers_that_make_no_component() {
    let policy = "text/yaml";
    for (layers, code) in [
        (vec![], "invalid-media-type"),
        (vec![policy], "invalid-media-type"),
        (
            vec!["application/vnd.oci.image.layer.v1.tar+gzip"; 2],
            "invalid-media-type",
        ),
        (
            vec!["application/wasm", "application/wasm"],
            "invalid-manifest",
        ),
        (
            vec!["application/wasm", policy, "application/x-yaml"],
            "invalid-manifest",
        ),
    ] {
        use crate::error::Diagnose;
        let manifest = parse_manifest(&manifest(&layers));
        let error = Plan::of(&manifest).expect_err("no plan");
        assert_eq!(error.code(), code, "{layers:?}: {error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn documents_with_two_meanings_are_refused() {
    let mut both = manifest(&["application/wasm"]);
    both["manifests"] = json!([]);
    assert!(matches!(parse(&both), Err(InvalidManifest::Ambiguous)));

    let mut lying = manifest(&["application/wasm"]);
    lying["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
    assert!(matches!(
        parse(&lying),
        Err(InvalidManifest::Contradiction(_))
    ));

    let neither = json!({ "schemaVersion": 2 });
    assert!(matches!(parse(&neither), Err(InvalidManifest::Neither)));

    let old = json!({ "schemaVersion": 1, "fsLayers": [] });
    assert!(matches!(parse(&old), Err(InvalidManifest::Version(1))));

    let twice = br#"{"schemaVersion":2,"layers":[],"layers":[]}"#;
    assert!(matches!(
        Document::parse(twice),
        Err(InvalidManifest::Json(_))
    ));
}

#[test]
fn sizes_and_digests_are_read_strictly() {
    for (field, value) in [
        ("size", json!(-1)),
        ("size", json!("4")),
        ("size", json!(1.5)),
        ("digest", json!("sha512:00")),
        ("size", json!(1e300)),
        ("digest", json!("sha256:../../../etc/passwd")),
        ("digest", json!(format!("sha256:{}", "A".repeat(64)))),
        ("digest", json!(format!("sha256:{}", "a".repeat(63)))),
        ("digest", json!(format!("md5:{}", "a".repeat(32)))),
    ] {
        let mut document = manifest(&["application/wasm"]);
        document["layers"][0][field] = value;
        assert!(
            matches!(parse(&document), Err(InvalidManifest::Json(_))),
            "{document}"
        );
    }
}

#[test]
fn the_index_prefers_wasip2() {
    let select = |platforms: &[(&str, &str)]| match parse(&index(platforms)) {
        Ok(Document::Index(index)) => select(&index).map(|entry| entry.digest),
        other => panic!("{other:?}"),
    };
    let two = Digest::of(b"wasip2");
    let one = Digest::of(b"wasip1");
    let all = [("linux", "amd64"), ("wasip1", "wasm"), ("wasip2", "wasm")];
    assert_eq!(select(&all).ok(), Some(two));
    assert_eq!(select(&all[..2]).ok(), Some(one));
    assert_eq!(
        select(&[("linux", "amd64"), ("wasi", "wasm")]).ok(),
        Some(Digest::of(b"wasi"))
    );
    // Container tools wrap an image of one platform like this, with its attestation.
    let single = select(&[("linux", "amd64"), ("unknown", "unknown")]);
    assert_eq!(single.ok(), Some(Digest::of(b"linux")));
    let error = select(&[("linux", "amd64"), ("wasip2", "arm64")]).expect_err("no wasm");
    assert!(
        error.to_string().ends_with("linux/amd64, wasip2/arm64"),
        "{error}"
    );
    let error = select(&[]).expect_err("nothing");
    assert!(error.to_string().ends_with("none"), "{error}");
}

proptest! {
    #[test]
    fn no_document_panics(bytes in any::<Vec<u8>>()) {
        let _ = Document::parse(&bytes);
    }

    #[test]
    fn a_plan_has_one_component(kinds in proptest::collection::vec(0_usize..4, 0..6)) {
        let names = ["application/wasm", "text/yaml", "application/vnd.oci.image.layer.v1.tar", "x/y"];
        let layers: Vec<&str> = kinds.iter().map(|kind| names[*kind]).collect();
        let count = |kind| kinds.iter().filter(|k| **k == kind).count();
        let manifest = parse_manifest(&manifest(&layers));
        let component = count(0) == 1 || (count(0) == 0 && count(2) == 1);
        let good = component && count(1) <= 1;
        prop_assert_eq!(Plan::of(&manifest).is_ok(), good);
    }
}
