//! Components from files.

use std::path::PathBuf;

use tempfile::TempDir;
use wassette::digest::Digest;
use wassette::error::{Class, Diagnose};
use wassette::fetch::FetchOptions;

use crate::support::components::{ANSWER, CORE_MODULE, binary, padded};
use crate::support::{Load, reference_of};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(TempDir::new().expect("a temporary directory"))
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("UTF-8")
}

#[tokio::test]
async fn a_file_is_copied() {
    let folder = Folder::new();
    // More than one chunk.
    let wasm = padded(1_500_000);
    let path = text(folder.write("my component.wasm", &wasm));
    let load = Load::new();
    let fetched = load.run(&path).await.expect("a copy");
    assert!(
        fetched
            .reference
            .to_string()
            .ends_with("/my%20component.wasm")
    );
    assert_eq!(
        std::fs::read(&fetched.component.path).expect("staged"),
        wasm
    );
    assert_eq!(fetched.component.digest, Digest::of(&wasm));
    assert_eq!(fetched.component.size, wasm.len() as u64);
    assert!(fetched.artifact.is_none());
    assert_eq!(fetched.receipt.requests, 0);
    assert_eq!(fetched.receipt.source_host, None);
}

#[tokio::test]
async fn text_becomes_binary() {
    let folder = Folder::new();
    let path = text(folder.write("answer.WAT", ANSWER.as_bytes()));
    let fetched = Load::new().run(&path).await.expect("a conversion");
    assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));

    let path = text(folder.write("broken.wat", b"(component"));
    let error = Load::new().fails(&path).await;
    assert_eq!(
        (error.code(), error.class()),
        ("invalid-text", Class::InvalidComponent)
    );
}

#[tokio::test]
async fn the_identity_changes_with_the_file() {
    let folder = Folder::new();
    let reference = reference_of(&text(folder.write("a.wasm", &binary(ANSWER))));
    let load = Load::new();
    let resolve = async || {
        let resolved = load.fetcher.resolve(&reference).await.expect("a stat");
        resolved.identity().clone()
    };
    let before = resolve().await;
    let fetched = load.run(&reference.to_string()).await.expect("a copy");
    assert!(before.same_content(&fetched.identity));
    let json = serde_json::to_string(&before).expect("JSON");
    let stored = serde_json::from_str(&json).expect("an identity");
    assert!(before.same_content(&stored), "{json}");
    folder.write("a.wasm", &padded(10));
    assert!(!before.same_content(&resolve().await));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let folder = Folder::new();
    let core = folder.write("core.wasm", &binary(CORE_MODULE));
    let core_text = folder.write("core.wat", CORE_MODULE.as_bytes());
    let noise = folder.write("noise.wasm", b"<!DOCTYPE html>");
    let empty = folder.write("empty.wasm", b"");
    let truncated = folder.write("truncated.wasm", b"\0asm\x0d");
    let missing = folder.0.path().join("missing.wasm");
    let directory = folder.0.path().to_owned();
    for (path, code, class) in [
        (core, "core-module", Class::InvalidComponent),
        (core_text, "core-module", Class::InvalidComponent),
        (noise, "not-wasm", Class::InvalidComponent),
        (empty, "not-wasm", Class::InvalidComponent),
        (truncated, "not-wasm", Class::InvalidComponent),
        (missing, "not-found", Class::NotFound),
        (directory, "unreadable-file", Class::Other),
        (PathBuf::from("/dev/zero"), "unreadable-file", Class::Other),
    ] {
        let path = text(path);
        let error = Load::new().fails(&path).await;
        assert_eq!((error.code(), error.class()), (code, class), "{path}");
        assert!(error.hint().is_some(), "{path}");
    }
}

#[tokio::test]
async fn files_have_a_limit() {
    let folder = Folder::new();
    let options = FetchOptions {
        max_component_bytes: 1000,
        ..FetchOptions::default()
    };
    for path in [
        folder.write("big.wasm", &padded(1000)),
        folder.write("big.wat", &[b' '; 1001]),
    ] {
        let load = Load::with(options.clone());
        let error = load.fails(&text(path)).await;
        assert_eq!(
            (error.code(), error.class()),
            ("too-large", Class::InvalidComponent)
        );
        assert!(load.staged().is_empty());
    }
}
