//! Downloads that one run of the program begins and another completes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tempfile::TempDir;
use wassette::digest::Digest;
use wassette::fetch::{FetchError, FetchOptions, Fetched, Fetcher, Silent};
use wassette::registry::{Host, Mirrors};

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary, padded, with_section};
use crate::support::faults::{Faults, Honest, Seen, cut, rest};
use crate::support::wait::block_until;
use crate::support::{files, reference_of};

const SIZE: usize = 3_000_000;

/// The files that stay between two runs.
struct Downloads(TempDir);

impl Downloads {
    fn new() -> Self {
        Downloads(TempDir::new().expect("a directory"))
    }

    fn parts(&self) -> PathBuf {
        self.0.path().join("parts")
    }

    /// A run of a program that never retries.
    async fn run(&self, reference: &str) -> Result<(Fetched, Vec<u8>), FetchError> {
        self.run_with(Mirrors::default(), reference).await
    }

    async fn run_with(
        &self,
        mirrors: Mirrors,
        reference: &str,
    ) -> Result<(Fetched, Vec<u8>), FetchError> {
        let fetcher = Fetcher::new(FetchOptions {
            net: wassette::net::Options {
                retries: 0,
                ..Default::default()
            },
            registry: wassette::registry::Options {
                mirrors,
                ..Default::default()
            },
            parts: Some(self.parts()),
            ..FetchOptions::default()
        });
        let staging = TempDir::new_in(self.0.path()).expect("a directory");
        let resolved = fetcher.resolve(&reference_of(reference)).await?;
        let fetched = fetcher.fetch(resolved, staging.path(), &Silent).await?;
        let bytes = std::fs::read(&fetched.component.path).expect("a file");
        Ok((fetched, bytes))
    }
}

/// A registry whose component is served by `answer`.
async fn registry(
    wasm: &[u8],
    answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static,
) -> Faults {
    let honest = Honest::new(&Artifact::without_config(&[(WASM, wasm)]));
    Faults::start(move |seen| match seen.target.contains("/blobs/") {
        true => answer(seen),
        false => honest.answer(seen),
    })
    .await
}

/// Breaks off any response at nine tenths, but completes a resumed one.
async fn breaking(wasm: &Arc<Vec<u8>>) -> Faults {
    let whole = wasm.clone();
    registry(wasm, move |seen| match seen.from() {
        0 => cut(&whole[..SIZE * 9 / 10], whole.len()),
        from => rest(&whole, from, whole.len()),
    })
    .await
}

#[tokio::test]
async fn the_next_run_continues() {
    let wasm = Arc::new(padded(SIZE));
    let server = breaking(&wasm).await;
    let (downloads, reference) = (Downloads::new(), server.reference("a:v1"));
    downloads.run(&reference).await.expect_err("cut");
    let parts = files(&downloads.parts());
    assert_eq!(parts, [Digest::of(&wasm).hex()]);
    let (fetched, bytes) = downloads.run(&reference).await.expect("the rest");
    assert_eq!(bytes, *wasm);
    let receipt = fetched.receipt;
    assert!(receipt.bytes_resumed > 0, "{receipt:?}");
    // A tenth was missing. The end of the sent data, up to the server's buffer size, may be lost
    // with the connection.
    let most = wasm.len() as u64 / 4;
    assert!(receipt.bytes_downloaded <= most + 2000, "{receipt:?}");
    assert!(files(&downloads.parts()).is_empty());
}

#[tokio::test]
async fn the_next_host_continues() {
    let wasm = Arc::new(padded(SIZE));
    let mirror = breaking(&wasm).await;
    let whole = wasm.clone();
    let upstream = registry(&wasm, move |seen| match seen.from() {
        0 => whole.to_vec().into_response(),
        from => rest(&whole, from, whole.len()),
    })
    .await;
    let host = toml::from_str::<Host>(&format!("host = '{}'", mirror.address()));
    let name = upstream.address().try_into().expect("a registry");
    let mirrors = Mirrors {
        hosts: [(name, vec![host.expect("a host")])].into(),
        certs_dir: None,
    };
    let reference = upstream.reference("a:v1");
    let run = Downloads::new().run_with(mirrors, &reference).await;
    let (fetched, bytes) = run.expect("a pull");
    assert_eq!(bytes, *wasm);
    let receipt = fetched.receipt;
    let tried = [upstream.address(), mirror.address()];
    assert_eq!(receipt.hosts_tried, tried);
    assert!(receipt.bytes_resumed >= SIZE as u64 / 10, "{receipt:?}");
    let again = receipt.bytes_downloaded - wasm.len() as u64;
    assert!(again <= SIZE as u64 / 50, "{receipt:?}");
}

#[tokio::test]
async fn a_part_that_was_changed_costs_time_and_nothing_else() {
    let wasm = Arc::new(padded(SIZE));
    let whole = wasm.clone();
    let server = registry(&wasm, move |seen| match &seen.range {
        Some(_) => rest(&whole, seen.from(), whole.len()),
        None => whole.to_vec().into_response(),
    })
    .await;
    for part in [
        vec![0; SIZE / 2],
        vec![0; SIZE * 2],
        wasm.to_vec(),
        Vec::new(),
    ] {
        let downloads = Downloads::new();
        std::fs::create_dir(downloads.parts()).expect("made");
        let path = downloads.parts().join(Digest::of(&wasm).hex());
        std::fs::write(path, part).expect("written");
        let (_, bytes) = downloads.run(&server.reference("a:v1")).await.expect("all");
        assert_eq!(bytes, *wasm);
        assert!(files(&downloads.parts()).is_empty());
    }
}

#[tokio::test]
async fn what_turns_out_wrong_is_not_kept() {
    let wasm = padded(SIZE);
    let mut wrong = wasm.clone();
    wrong[SIZE / 2] ^= 1;
    let long = [wasm.as_slice(), b"x"].concat();
    for lie in [wrong, long] {
        let server = registry(&wasm, move |_| lie.clone().into_response()).await;
        let downloads = Downloads::new();
        let run = downloads.run(&server.reference("a:v1")).await;
        run.expect_err("a lie");
        assert!(files(&downloads.parts()).is_empty());
    }
}

#[tokio::test]
async fn a_web_file_goes_on_where_its_digest_is_known() {
    let wasm = Arc::new(padded(SIZE));
    let whole = wasm.clone();
    let server = Faults::start(move |seen| match (seen.method.as_str(), seen.from()) {
        ("HEAD", _) => [("etag", "\"v1\"")].into_response(),
        (_, 0) => cut(&whole[..SIZE / 2], whole.len()),
        (_, from) => rest(&whole, from, whole.len()),
    })
    .await;
    let pin = Digest::of(&wasm).to_string().replace(':', "=");
    for (fragment, continued) in [(format!("#{pin}"), true), (String::new(), false)] {
        let downloads = Downloads::new();
        let url = server.url(&format!("/a.wasm{fragment}"));
        downloads.run(&url).await.expect_err("cut");
        assert_eq!(downloads.run(&url).await.is_ok(), continued);
    }
}

// The server runs beside the program.
#[tokio::test(flavor = "multi_thread")]
async fn a_web_file_goes_on_where_its_digest_is_an_option() {
    let wasm = Arc::new(with_section(binary(ANSWER), "padding", &vec![7; SIZE]));
    let whole = wasm.clone();
    let server = Faults::start(move |seen| match (seen.method.as_str(), seen.from()) {
        ("HEAD", _) => ().into_response(),
        (_, 0) => cut(&whole[..SIZE / 2], whole.len()),
        (_, from) => rest(&whole, from, whole.len()),
    })
    .await;
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).expect("a directory");
    let config = "[network]\nretries = 0\nrequire_digest = true\n";
    std::fs::write(cli.root().join("config.toml"), config).expect("written");
    let (url, digest) = (server.url("/a.wasm"), Digest::of(&wasm).to_string());
    let load = ["load", "--uri", &url, "--digest", &digest];
    assert_eq!(cli.run(load).code, 4);
    let loaded = cli.json(load);
    assert_eq!(loaded["receipt"]["trust"], "pinned", "{loaded}");
    let resumed = loaded["receipt"]["bytes_resumed"].as_u64();
    assert!(resumed >= Some(SIZE as u64 / 2), "{loaded}");
    // If there are two digests, both must match.
    let whole = wasm.clone();
    let server = Faults::start(move |_| whole.to_vec().into_response()).await;
    let other = Digest::of(b"other").to_string();
    for (fragment, digest) in [(&other, &digest), (&digest, &other)] {
        let url = server.url(&format!("/a.wasm#{}", fragment.replace(':', "=")));
        let ended = Cli::new().run(["load", "--uri", &url, "--digest", digest]);
        assert_eq!(ended.code, 5, "{}", ended.stderr);
    }
}

/// Sends two thirds and then nothing more; sends the rest on a range request.
async fn stalling(wasm: &Arc<Vec<u8>>) -> Faults {
    let whole = wasm.clone();
    registry(wasm, move |seen| match seen.from() {
        0 => {
            let start = Bytes::copy_from_slice(&whole[..SIZE * 2 / 3]);
            let start = stream::iter([Ok::<_, std::io::Error>(start)]);
            let body = Body::from_stream(start.chain(stream::pending()));
            ([("content-length", whole.len().to_string())], body).into_response()
        }
        from => rest(&whole, from, whole.len()),
    })
    .await
}

/// Waits until the directory has a file of this many bytes.
fn wait_for(directory: &Path, bytes: u64) {
    block_until("a download", || {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let mut sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
        sizes.any(|size| size >= bytes)
    });
}

// The registry runs beside the program.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_was_killed_goes_on_at_the_next() {
    let wasm = Arc::new(with_section(binary(ANSWER), "padding", &vec![7; SIZE]));
    let server = stalling(&wasm).await;
    let cli = Cli::new();
    let load = ["load", "-o", "json", "--uri", &server.reference("a:v1")].map(str::to_owned);
    let mut killed = cli.command().args(&load).spawn().expect("it starts");
    wait_for(&cli.root().join("downloads/parts"), 1_000_000);
    killed.kill().expect("killed");
    killed.wait().expect("an end");

    let ended: Ended = cli.command().args(&load).output().expect("it runs").into();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let outcome: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let receipt = &outcome["receipt"];
    let downloaded = receipt["bytes_downloaded"].as_u64().expect("a number");
    assert!(downloaded <= SIZE as u64 - 900_000, "{receipt}");
    assert_eq!(receipt["retries"], 0, "{receipt}");
    let staged = files(&cli.root().join("downloads"));
    assert_eq!(staged, ["parts"]);
    assert!(files(&cli.root().join("downloads/parts")).is_empty());
}
