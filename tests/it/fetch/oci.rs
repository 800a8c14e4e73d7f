//! Pulls from a real registry.

use wassette::digest::Digest;
use wassette::error::{Class, Diagnose};
use wassette::fetch::Identity;

use crate::support::artifact::{Artifact, POLICY, WASM, index};
use crate::support::components::{ANSWER, CORE_MODULE, EMPTY, binary, padded};
use crate::support::registry::Registry;
use crate::support::{Load, reference_of};

#[tokio::test]
async fn a_tag_is_resolved_once_and_pulled_by_digest() {
    let registry = Registry::start();
    let wasm = binary(ANSWER);
    let artifact = Artifact::new(&[(WASM, &wasm)]);
    let manifest_digest = registry.push("acme/answer", "v1", &artifact).await;

    let load = Load::new();
    let fetched = load
        .run(&registry.reference("acme/answer:v1"))
        .await
        .expect("a pull");

    assert_eq!(
        std::fs::read(&fetched.component.path).expect("staged"),
        wasm
    );
    assert_eq!(load.staged(), ["component.wasm"]);
    assert_eq!(fetched.component.digest, Digest::of(&wasm));
    assert_eq!(fetched.component.size, wasm.len() as u64);
    let pulled = fetched.artifact.expect("an artifact");
    assert_eq!(pulled.manifest_digest, manifest_digest);
    assert_eq!(pulled.annotations["org.opencontainers.image.title"], "test");
    assert_eq!(
        pulled.config.expect("a config").layer_digests,
        pulled.layer_digests
    );
    assert!(fetched.policy.is_none());

    let receipt = fetched.receipt;
    assert_eq!(receipt.source_host.as_deref(), Some(registry.address()));
    assert_eq!(receipt.manifest_digest, Some(manifest_digest));
    // HEAD, manifest, component and config.
    assert_eq!(receipt.requests, 4);
    let blobs: usize = artifact.blobs.iter().map(Vec::len).sum();
    assert_eq!(
        receipt.bytes_downloaded,
        (artifact.bytes().len() + blobs) as u64
    );
}

#[tokio::test]
async fn the_identity_follows_the_tag() {
    let registry = Registry::start();
    let first = Artifact::new(&[(WASM, &binary(ANSWER))]);
    let second = Artifact::new(&[(WASM, &binary(EMPTY))]);
    let load = Load::new();
    let tagged = reference_of(&registry.reference("a:v1"));
    let resolve = async || {
        let resolved = load.fetcher.resolve(&tagged).await.expect("resolved");
        resolved.identity().clone()
    };

    let digest = registry.push("a", "v1", &first).await;
    let before = resolve().await;
    assert!(matches!(before, Identity::Oci { manifest_digest } if manifest_digest == digest));
    assert!(before.same_content(&resolve().await));
    registry.push("a", "v1", &second).await;
    assert!(!before.same_content(&resolve().await));

    // The old content is still available by digest, without a request for the tag.
    let pinned = load
        .run(&registry.reference(&format!("a:v1@{digest}")))
        .await
        .expect("a pull");
    assert!(before.same_content(&pinned.identity));
    assert_eq!(pinned.receipt.requests, 3);
}

#[tokio::test]
async fn layers_come_in_any_order_and_large_strangers_stay_away() {
    let registry = Registry::start();
    let wasm = binary(ANSWER);
    let policy = b"version: \"1.0\"\n".as_slice();
    let stranger = vec![7; 2 * 1024 * 1024];
    let layers = [
        (POLICY, policy),
        ("application/x-other", &stranger),
        (WASM, &wasm),
    ];
    let artifact = Artifact::new(&layers);
    registry.push("mixed", "v1", &artifact).await;

    let load = Load::new();
    let fetched = load
        .run(&registry.reference("mixed:v1"))
        .await
        .expect("a pull");

    assert_eq!(fetched.policy.as_deref(), Some("version: \"1.0\"\n"));
    assert_eq!(fetched.component.digest, Digest::of(&wasm));
    let kept = fetched.artifact.expect("an artifact");
    assert_eq!(kept.layer_digests.len(), 3);
    assert_eq!(kept.kept, None);
    assert!(
        fetched.receipt.bytes_downloaded < 5000,
        "{:?}",
        fetched.receipt
    );
}

#[tokio::test]
async fn every_media_type_in_use_is_read() {
    let registry = Registry::start();
    let wasm = binary(ANSWER);
    let load = Load::new();
    for (n, (layer, policy)) in [
        ("application/wasm", "application/vnd.wasm.policy.v1+yaml"),
        (
            "application/vnd.wasm.component.v1",
            "application/vnd.wassette.policy+yaml",
        ),
        (
            "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
            "application/x-yaml",
        ),
        ("application/wasm", "text/yaml"),
    ]
    .into_iter()
    .enumerate()
    {
        let artifact = Artifact::new(&[(layer, &wasm), (policy, b"p")]);
        registry.push("types", &format!("v{n}"), &artifact).await;
        let fetched = load.run(&registry.reference(&format!("types:v{n}"))).await;
        assert_eq!(
            fetched.expect(layer).policy.as_deref(),
            Some("p"),
            "{policy}"
        );
    }
    // Made with a container tool: the config does not describe the component.
    let image = "application/vnd.oci.image.config.v1+json";
    let artifact = Artifact::with_config(image, b"{}".to_vec(), &[(WASM, &wasm)]);
    registry.push("types", "image", &artifact).await;
    let fetched = load
        .run(&registry.reference("types:image"))
        .await
        .expect("a pull");
    assert!(fetched.artifact.expect("an artifact").config.is_none());
}

#[tokio::test]
async fn an_index_leads_to_the_wasm_manifest() {
    let registry = Registry::start();
    let first = Artifact::new(&[(WASM, &binary(EMPTY))]);
    let second = Artifact::new(&[(WASM, &binary(ANSWER))]);
    registry.push("multi", "one", &first).await;
    registry.push("multi", "two", &second).await;
    let both = index(&[(&first, "wasip1", "wasm"), (&second, "wasip2", "wasm")]);
    let digest = registry.push_manifest("multi", "both", &both).await;
    let none = index(&[(&first, "linux", "amd64"), (&second, "linux", "arm64")]);
    registry.push_manifest("multi", "none", &none).await;

    let load = Load::new();
    let fetched = load
        .run(&registry.reference("multi:both"))
        .await
        .expect("a pull");
    assert!(
        matches!(fetched.identity, Identity::Oci { manifest_digest } if manifest_digest == digest)
    );
    assert_eq!(
        fetched.artifact.expect("an artifact").manifest_digest,
        second.digest()
    );
    assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));

    let error = Load::new().fails(&registry.reference("multi:none")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("no-wasm-platform", Class::InvalidComponent)
    );
}

#[tokio::test]
async fn what_makes_no_component_is_refused() {
    let registry = Registry::start();
    let core = binary(CORE_MODULE);
    let (answer, empty) = (binary(ANSWER), binary(EMPTY));
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    for (tag, layers, code) in [
        ("core", vec![(WASM, core.as_slice())], "core-module"),
        (
            "noise",
            vec![(WASM, b"noise, not wasm".as_slice())],
            "not-wasm",
        ),
        ("nothing", vec![(WASM, b"".as_slice())], "not-wasm"),
        ("image", vec![(tar, b"tar".as_slice())], "invalid-archive"),
        (
            "other",
            vec![("application/x-other", b"x".as_slice())],
            "invalid-media-type",
        ),
        (
            "two",
            vec![(WASM, answer.as_slice()), (WASM, &empty)],
            "invalid-manifest",
        ),
        (
            "binary",
            vec![(WASM, answer.as_slice()), (POLICY, b"\xff")],
            "invalid-policy",
        ),
    ] {
        registry.push("bad", tag, &Artifact::new(&layers)).await;
        let error = Load::new()
            .fails(&registry.reference(&format!("bad:{tag}")))
            .await;
        assert_eq!(
            (error.code(), error.class()),
            (code, Class::InvalidComponent),
            "{tag}"
        );
        assert!(error.hint().is_some(), "{tag}");
    }
}

#[tokio::test]
async fn limits_are_looked_up_before_the_download() {
    let registry = Registry::start();
    let artifact = Artifact::new(&[(WASM, &padded(10_000)), (POLICY, &[b'#'; 2000])]);
    registry.push("big", "v1", &artifact).await;
    for options in [
        wassette::fetch::FetchOptions {
            max_component_bytes: 9_999,
            ..Default::default()
        },
        wassette::fetch::FetchOptions {
            max_policy_bytes: 1_999,
            ..Default::default()
        },
    ] {
        let load = Load::with(options);
        let error = load.fails(&registry.reference("big:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("too-large", Class::InvalidComponent)
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let registry = Registry::start();
    registry
        .push("here", "v1", &Artifact::new(&[(WASM, &binary(EMPTY))]))
        .await;
    let load = Load::new();
    let absent = Digest::of(b"absent");
    for name in ["here:v2", "there:v1", &format!("here@{absent}")] {
        let error = load.fails(&registry.reference(name)).await;
        assert_eq!(
            (error.code(), error.class()),
            ("not-found", Class::NotFound),
            "{name}"
        );
        assert!(
            error
                .to_string()
                .starts_with("Failed to pull `oci://127.0.0.1:"),
            "{error}"
        );
    }

    let address = registry.address().to_owned();
    drop(registry);
    let error = load.fails(&format!("oci://{address}/here:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("oci-pull-failed", Class::Network)
    );
    assert!(load.staged().is_empty());
}
