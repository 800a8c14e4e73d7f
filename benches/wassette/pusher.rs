//! This program as a process that pushes an OCI layout and ends.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use wassette::digest::Digest;
use wassette::net;
use wassette::reference::Reference;
use wassette::registry::{BlobContent, BlobUpload, Client, Options, Transfer};

/// Environment variable that turns this program into the pusher. The arguments are a layout and a
/// reference; it prints the number of requests.
pub const SWITCH: &str = "WASSETTE_BENCH_PUSHER";

pub fn run() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [layout, reference] = &arguments[..] else {
        panic!("a layout and a reference, not {arguments:?}");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let requests = runtime.block_on(push(Path::new(layout), reference));
    println!("{requests}");
}

async fn push(layout: &Path, reference: &str) -> u64 {
    let Ok(Reference::Oci(reference)) = Reference::parse(reference, Path::new("/")) else {
        panic!("a reference of a registry, not {reference}");
    };
    let index = json(&fs::read(layout.join("index.json")).expect("an index"));
    let manifest = fs::read(blob_of(layout, &index["manifests"][0])).expect("a manifest");
    let client = Client::new(
        net::Client::new(net::Options::default()),
        Options::default(),
    );
    let transfer = Transfer::default();
    let writer = client.writer(&reference, &transfer).expect("a repository");
    let tag = reference.tag().expect("a tag");
    let there = writer.document(tag).await.expect("an answer");
    if there.is_none_or(|there| there != manifest) {
        let document = json(&manifest);
        let layers = document["layers"].as_array().expect("layers");
        for descriptor in layers.iter().chain([&document["config"]]) {
            let content = BlobContent::File(blob_of(layout, descriptor));
            let blob = BlobUpload {
                digest: digest_of(descriptor),
                size: descriptor["size"].as_u64().expect("a size"),
                content,
            };
            writer.put_blob(&blob, None).await.expect("an upload");
        }
        let manifest = Bytes::from(manifest);
        let put = writer.put_manifest(&manifest, Some(tag));
        put.await.expect("an upload");
    }
    transfer.meter.requests().into()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn digest_of(descriptor: &Value) -> Digest {
    let digest = descriptor["digest"].as_str().expect("a digest");
    digest.parse().expect("a digest")
}

fn blob_of(layout: &Path, descriptor: &Value) -> PathBuf {
    layout
        .join("blobs/sha256")
        .join(digest_of(descriptor).hex())
}
