//! Components in compressed layers or in container images.

use std::io::Write;

use serde_json::json;
use tar::EntryType;
use wassette::digest::Digest;
use wassette::error::{Class, Diagnose};
use wassette::fetch::FetchOptions;

use crate::support::Load;
use crate::support::archive::{Item, entry, file, gzip, tar, zstd};
use crate::support::artifact::{Artifact, WASM, index};
use crate::support::components::{ANSWER, EMPTY, binary, padded};
use crate::support::faults::{Faults, Honest};
use crate::support::registry::Registry;

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const DOCKER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const IMAGE: &str = "application/vnd.oci.image.config.v1+json";

/// Fetches an artifact of one layer from the test's own server; it must fail.
async fn fails(media_type: &str, layer: &[u8]) -> (&'static str, String) {
    let server = serve(&Artifact::without_config(&[(media_type, layer)])).await;
    let error = Load::new().fails(&server.reference("a:v1")).await;
    (
        error.code(),
        wassette::error::Report::new(&error).to_string(),
    )
}

async fn serve(artifact: &Artifact) -> Faults {
    let honest = Honest::new(artifact);
    Faults::start(move |seen| honest.answer(seen)).await
}

fn image(wasm: &[u8]) -> Vec<u8> {
    tar(&[
        entry("./", EntryType::Directory),
        entry("opt/", EntryType::Directory),
        file("opt/README", b"words"),
        file("opt/answer.wasm", wasm),
    ])
}

#[tokio::test]
async fn every_packing_is_unpacked() {
    let registry = Registry::start();
    let wasm = padded(300_000);
    let archive = image(&wasm);
    let twice = [gzip(&wasm[..1000]), gzip(&wasm[1000..])].concat();
    let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let frames = [
        skippable.as_slice(),
        &zstd(&wasm[..1000]),
        skippable,
        &zstd(&wasm[1000..]),
    ]
    .concat();
    for (n, (media_type, layer)) in [
        ("application/wasm+gzip", gzip(&wasm)),
        ("application/wasm+zstd", zstd(&wasm)),
        ("application/gzip", twice),
        ("application/zstd", frames),
        (TAR, archive.clone()),
        (TAR_GZIP, gzip(&archive)),
        (TAR_ZSTD, zstd(&archive)),
        (DOCKER_TAR, gzip(&archive)),
    ]
    .into_iter()
    .enumerate()
    {
        let artifact = Artifact::new(&[(media_type, &layer)]);
        registry.push("packed", &format!("v{n}"), &artifact).await;
        let load = Load::new();
        let fetched = load.run(&registry.reference(&format!("packed:v{n}"))).await;
        let fetched = fetched.unwrap_or_else(|error| panic!("{media_type}: {error:?}"));
        let staged = std::fs::read(&fetched.component.path).expect("staged");
        assert!(staged == wasm, "{media_type}");
        // The component's digest is that of its bytes; the layer's digest is that of the packed
        // bytes.
        assert_eq!(fetched.component.digest, Digest::of(&wasm));
        assert_eq!(fetched.component.size, wasm.len() as u64);
        let layers = fetched.artifact.expect("an artifact").layer_digests;
        assert_eq!(layers, [Digest::of(&layer)], "{media_type}");
        assert_eq!(load.staged(), ["component.wasm"]);
    }
}

#[tokio::test]
async fn the_config_of_an_image_tells_the_digest_of_the_archive() {
    let registry = Registry::start();
    let archive = image(&binary(ANSWER));
    let layer = gzip(&archive);
    let config = |diff_id: Digest| {
        let rootfs = json!({ "type": "layers", "diff_ids": [diff_id.to_string()] });
        json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs })
    };
    let artifact = |diff_id| {
        let config = config(diff_id).to_string().into_bytes();
        Artifact::with_config(IMAGE, config, &[(TAR_GZIP, &layer)])
    };
    let good = artifact(Digest::of(&archive));
    registry.push("image", "good", &good).await;
    registry
        .push("image", "bad", &artifact(Digest::of(b"x")))
        .await;
    // Build tools push images like this: in an index, with an attestation.
    let other = Artifact::new(&[(WASM, &binary(EMPTY))]);
    registry.push("image", "attestation", &other).await;
    let both = index(&[(&good, "linux", "amd64"), (&other, "unknown", "unknown")]);
    registry.push_manifest("image", "index", &both).await;

    for tag in ["good", "index"] {
        let fetched = Load::new()
            .run(&registry.reference(&format!("image:{tag}")))
            .await
            .expect(tag);
        assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
        let artifact = fetched.artifact.expect("an artifact");
        assert_eq!(artifact.manifest_digest, good.digest());
    }
    let error = Load::new().fails(&registry.reference("image:bad")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("digest-mismatch", Class::Verification)
    );
}

#[tokio::test]
async fn archives_that_mean_something_else_are_refused() {
    let wasm = binary(ANSWER);
    let with = |item: Item| tar(&[file("a.wasm", &wasm), item]);
    for (archive, words) in [
        (with(file("b/c.WASM", &wasm)), "more than one"),
        (
            with(entry("b", EntryType::Symlink)),
            "`b` in the archive is a link",
        ),
        (with(entry("b", EntryType::Link)), "is a link"),
        (with(entry("b.wasm", EntryType::Symlink)), "is a link"),
        (with(entry("b", EntryType::Fifo)), "neither a file"),
        (with(entry("b", EntryType::Block)), "neither a file"),
        (with(entry("b", EntryType::GNUSparse)), "neither a file"),
        (with(file("../b", b"x")), "leads out of it"),
        (with(file("b/../../c", b"x")), "leads out of it"),
        (with(file("/etc/passwd", b"x")), "leads out of it"),
        (with(file("C:/x", b"x")), "leads out of it"),
        (tar(&[file("../a.wasm", &wasm)]), "leads out of it"),
        (tar(&[file("/a.wasm", &wasm)]), "leads out of it"),
        (tar(&[file("a.txt", b"x")]), "no `.wasm` file"),
        (tar(&[file(".wh.a.wasm", b"")]), "no `.wasm` file"),
        (tar(&[]), "no `.wasm` file"),
        (image(&wasm)[..2000].to_vec(), "cannot be unpacked"),
        (vec![b'x'; 2048], "cannot be unpacked"),
    ] {
        for (media_type, layer) in [(TAR, archive.clone()), (TAR_GZIP, gzip(&archive))] {
            let (code, text) = fails(media_type, &layer).await;
            assert_eq!(code, "invalid-archive", "{text}");
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    let (code, _) = fails(TAR, &tar(&[file("a.wasm", b"not wasm at all")])).await;
    assert_eq!(code, "not-wasm");
}

#[tokio::test]
async fn long_names_are_read_and_headers_bounded() {
    let wasm = binary(ANSWER);
    let long = format!("{}/a.wasm", "d".repeat(300));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(wasm.len() as u64);
    builder
        .append_data(&mut header, &long, wasm.as_slice())
        .expect("memory");
    let named = builder.into_inner().expect("memory");
    let server = serve(&Artifact::without_config(&[(TAR, &named)])).await;
    let fetched = Load::new().run(&server.reference("a:v1")).await;
    assert_eq!(fetched.expect("a pull").component.digest, Digest::of(&wasm));

    let pax = |record: &[u8]| {
        let attributes = Item {
            name: "pax",
            kind: EntryType::XHeader,
            content: record.to_vec(),
        };
        tar(&[attributes, file("plain", &wasm)])
    };
    let server = serve(&Artifact::without_config(&[(
        TAR,
        &pax(b"15 path=a.wasm\n"),
    )]))
    .await;
    let fetched = Load::new().run(&server.reference("a:v1")).await;
    assert_eq!(fetched.expect("a pull").component.digest, Digest::of(&wasm));
    for record in [
        b"18 path=../a.wasm\n".as_slice(),
        b"12 size=100\n",
        &vec![b'x'; 100_000],
    ] {
        let (code, text) = fails(TAR, &pax(record)).await;
        assert_eq!(code, "invalid-archive", "{text}");
    }
}

#[tokio::test]
async fn bombs_are_stopped() {
    let mut zeros = binary(EMPTY);
    zeros.resize(64 << 20, 0);
    let archive = tar(&[file("a.wasm", &zeros)]);
    for (media_type, layer) in [
        ("application/wasm+gzip", gzip(&zeros)),
        ("application/wasm+gzip", gzip(&gzip(&zeros))),
        (TAR_GZIP, gzip(&archive)),
        ("application/wasm+zstd", zstd(&zeros)),
        (TAR_ZSTD, zstd(&archive)),
    ] {
        let (code, text) = fails(media_type, &layer).await;
        let nested = layer.len() < 1000;
        match nested {
            true => assert_eq!(code, "not-wasm", "{text}"),
            false => assert_eq!(code, "archive-bomb", "{text}"),
        }
    }
    let many: Vec<Item> = (0..5000).map(|_| file("x", b"")).collect();
    let (code, text) = fails(TAR, &tar(&many)).await;
    assert_eq!(code, "invalid-archive", "{text}");
}

#[tokio::test]
async fn the_unpacked_size_is_limited_too() {
    let mut wasm = binary(EMPTY);
    let mut state = 1_u32;
    wasm.extend((0..2_000_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Four bits of noise, so that it shrinks to half.
        (state >> 28) as u8
    }));
    for (media_type, layer) in [
        ("application/wasm+gzip", gzip(&wasm)),
        (TAR_GZIP, gzip(&image(&wasm))),
    ] {
        let server = serve(&Artifact::without_config(&[(media_type, &layer)])).await;
        let load = Load::with(FetchOptions {
            max_component_bytes: 1_900_000,
            ..FetchOptions::default()
        });
        let error = load.fails(&server.reference("a:v1")).await;
        assert_eq!(
            (error.code(), error.class()),
            ("too-large", Class::InvalidComponent),
            "{media_type}"
        );
    }
    // A large window is memory that the decoder would have to keep.
    for (window_log, refusal) in [
        (13, "not-wasm"),
        (14, "invalid-archive"),
        (17, "invalid-archive"),
    ] {
        let mut frame = b"\x28\xb5\x2f\xfd\x00".to_vec();
        frame.push((window_log) << 3);
        // One block, the last, of no bytes.
        frame.write_all(&[1, 0, 0]).expect("memory");
        let (code, text) = fails("application/wasm+zstd", &frame).await;
        assert_eq!(code, refusal, "{window_log}: {text}");
    }
}

#[tokio::test]
async fn the_packed_bytes_are_held_to_their_digest() {
    let wasm = binary(ANSWER);
    let archive = image(&wasm);
    for (media_type, layer) in [
        ("application/wasm+gzip", gzip(&wasm)),
        ("application/wasm+zstd", zstd(&wasm)),
        (TAR, archive.clone()),
        (TAR_GZIP, gzip(&archive)),
    ] {
        let honest = Honest::new(&Artifact::without_config(&[(media_type, &layer)]));
        let half = layer.len() / 2;
        let mut changed = layer.clone();
        changed[half] ^= 0x40;
        let lies = [
            changed,
            layer[..half].to_vec(),
            [layer.as_slice(), b"more"].concat(),
            vec![0; layer.len()],
        ];
        for lie in lies {
            let honest = honest.clone();
            let server = Faults::start(move |seen| match seen.target.contains("/blobs/") {
                true => axum::response::IntoResponse::into_response(lie.clone()),
                false => honest.answer(seen),
            })
            .await;
            let error = Load::new().fails(&server.reference("a:v1")).await;
            assert_eq!(error.class(), Class::Verification, "{media_type}: {error}");
        }
        // The publisher damaged it: the digest is right, but the content is not.
        let (code, text) = fails(media_type, &layer[..half]).await;
        assert_eq!(code, "invalid-archive", "{text}");
    }
}
