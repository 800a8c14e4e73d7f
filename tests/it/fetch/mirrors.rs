//! Pulls through mirrors: real pull-through caches, and mirrors that lie.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use wassette::digest::Digest;
use wassette::error::{Class, Diagnose, Report};
use wassette::fetch::FetchOptions;
use wassette::registry::{Host, Mirrors};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::Cli;
use crate::support::components::{ANSWER, EMPTY, binary};
use crate::support::faults::{Faults, Honest, Seen, endless, redirect};
use crate::support::registry::Registry;
use crate::support::wait::DEADLINE;

const BOTH: &str = r#"["pull", "resolve"]"#;
const PULL: &str = r#"["pull"]"#;

fn answer() -> Artifact {
    Artifact::without_config(&[(WASM, &binary(ANSWER))])
}

/// A load with these mirrors (address, capabilities) of every registry.
fn load(mirrors: &[(&str, &str)]) -> Load {
    load_within(DEADLINE, mirrors)
}

/// Like [`load`], with this idle timeout for all hosts.
fn load_within(idle_timeout: Duration, mirrors: &[(&str, &str)]) -> Load {
    let hosts = mirrors.iter().map(|(address, capabilities)| {
        let text = format!("host = '{address}'\ncapabilities = {capabilities}");
        toml::from_str::<Host>(&text).expect("a host")
    });
    let all = "_default".to_owned().try_into().expect("a name");
    Load::with(FetchOptions {
        net: wassette::net::Options {
            idle_timeout,
            ..Default::default()
        },
        registry: wassette::registry::Options {
            mirrors: Mirrors {
                hosts: [(all, hosts.collect())].into(),
                certs_dir: None,
            },
            ..Default::default()
        },
        ..FetchOptions::default()
    })
}

fn blobs(seen: &[Seen]) -> usize {
    let blobs = seen.iter().filter(|one| one.target.contains("/blobs/"));
    blobs.count()
}

#[tokio::test]
async fn a_pull_through_cache_needs_no_upstream_for_what_it_has() {
    let upstream = Registry::start();
    let cache = Registry::cache_of(&upstream);
    let wasm = binary(ANSWER);
    let artifact = Artifact::new(&[(WASM, &wasm)]);
    let digest = upstream.push("acme/answer", "v1", &artifact).await;
    let uncached = Artifact::new(&[(WASM, &binary(EMPTY))]);
    let uncached_digest = upstream.push("acme/other", "v1", &uncached).await;
    let reference = upstream.reference("acme/answer:v1");
    let load = load(&[(cache.address(), BOTH)]);

    let fetched = load.run(&reference).await.expect("through the cache");
    assert_eq!(fetched.receipt.manifest_digest, Some(digest));
    assert_eq!(fetched.receipt.hosts_tried, [cache.address()]);
    assert_eq!(fetched.receipt.requests, 4);

    let (other, pinned) = (
        upstream.reference("acme/other:v1"),
        upstream.reference(&format!("acme/other@{uncached_digest}")),
    );
    for blob in &artifact.blobs {
        cache.stores("acme/answer", &Digest::of(blob)).await;
    }
    let address = upstream.address().to_owned();
    drop(upstream);
    let again = load.run(&reference).await.expect("from the cache alone");
    assert_eq!(again.component.digest, Digest::of(&wasm));
    assert_eq!(again.receipt.hosts_tried, [cache.address()]);
    std::fs::remove_file(&again.component.path).expect("staged");

    for (reference, status) in [(other, "404 Not Found"), (pinned, "500 Internal")] {
        let error = load.fails(&reference).await;
        assert_eq!(error.class(), Class::Network);
        let text = Report::new(&error).to_string();
        let cache = format!("tried: {}: ", cache.address());
        let upstream = format!("tried: {address}: cannot reach");
        assert!(text.contains(&cache) && text.contains(&upstream), "{text}");
        assert!(text.contains(status), "{text}");
    }
}

#[test]
fn the_command_line_reads_mirrors_from_both_kinds_of_configuration() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let upstream = Registry::start();
    let cache = Registry::cache_of(&upstream);
    let wasm = binary(ANSWER);
    runtime.block_on(upstream.push("answer", "v1", &Artifact::new(&[(WASM, &wasm)])));
    let mirror = cache.address();
    let listed = format!(
        "[[registry.mirrors.'{}']]\nhost = '{mirror}'\ncapabilities = {BOTH}\n",
        upstream.address()
    );
    let file = format!("[host.'http://{mirror}']\ncapabilities = {BOTH}\n");
    for config in [listed.as_str(), "[registry]\ncerts_dir = 'certs.d'\n"] {
        let cli = Cli::new();
        let directory = cli.root().join("certs.d").join(upstream.address());
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("hosts.toml"), &file).expect("written");
        std::fs::write(cli.root().join("config.toml"), config).expect("written");
        let uri = upstream.reference("answer:v1");
        let load = || cli.json(["load", "--uri", &uri]);
        let first = load();
        assert_eq!(first["receipt"]["hosts_tried"], serde_json::json!([mirror]));
        let second = load();
        assert_eq!(second["status"], "already-loaded");
        assert_eq!(
            second["receipt"]["hosts_tried"],
            serde_json::json!([mirror])
        );
    }
}

#[test]
fn a_bad_hosts_file_is_an_error_that_names_it() {
    let cli = Cli::new();
    let directory = cli.root().join("certs.d/_default");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("hosts.toml"), "[host.'ftp://m']\n").expect("written");
    let config = "[registry]\ncerts_dir = 'certs.d'\n";
    std::fs::write(cli.root().join("config.toml"), config).expect("written");
    insta::assert_snapshot!(cli.failure(["load", "--uri", "oci://reg.lan/a:v1"]));
}

#[tokio::test]
async fn a_mirror_is_told_the_registry_and_nothing_else() {
    let honest = Honest::new(&answer());
    let mirror = Faults::start(move |seen| honest.answer(&plain(seen))).await;
    let load = load(&[(&mirror.address(), BOTH)]);
    load.run("oci://ghcr.io/acme/answer:v1")
        .await
        .expect("a pull");
    for seen in mirror.seen() {
        assert!(seen.target.starts_with("/v2/acme/answer/"), "{seen:?}");
        assert!(seen.target.ends_with("?ns=ghcr.io"), "{seen:?}");
        assert_eq!(seen.authorization, None);
    }
}

/// The request without its query, for servers that do not expect one.
fn plain(seen: &Seen) -> Seen {
    let target = seen.target.split('?').next().unwrap_or_default().to_owned();
    Seen {
        target,
        ..seen.clone()
    }
}

#[tokio::test]
async fn a_token_of_the_registry_is_not_sent_to_its_mirror() {
    let honest = Honest::new(&answer());
    let tokens = Faults::start(|_| r#"{"token":"secret"}"#.into_response()).await;
    let challenge = format!("Bearer realm=\"{}\"", tokens.url("/"));
    let upstream =
        Faults::start(
            move |seen| match seen.authorization.as_deref() == Some("Bearer secret") {
                true => honest.answer(seen),
                false => {
                    let challenge = [("www-authenticate", challenge.clone())];
                    (StatusCode::UNAUTHORIZED, challenge).into_response()
                }
            },
        )
        .await;
    let mirror = Faults::start(|_| StatusCode::NOT_FOUND.into_response()).await;
    let load = load(&[(&mirror.address(), PULL)]);
    let fetched = load.run(&upstream.reference("a:v1")).await.expect("a pull");
    let tried = [upstream.address(), tokens.address(), mirror.address()];
    assert_eq!(fetched.receipt.hosts_tried, tried);
    assert_eq!(mirror.seen().len(), 2);
    assert!(mirror.seen().iter().all(|one| one.authorization.is_none()));
}

#[tokio::test]
async fn the_next_host_is_asked_whatever_is_wrong_with_a_mirror() {
    let mut wrong = binary(ANSWER);
    wrong[20] ^= 1;
    let short = wrong[..12].to_vec();
    type Lie = Arc<dyn Fn() -> Response + Send + Sync>;
    let lies: Vec<(&str, Lie)> = vec![
        ("404", Arc::new(|| StatusCode::NOT_FOUND.into_response())),
        ("403", Arc::new(|| StatusCode::FORBIDDEN.into_response())),
        (
            "500",
            Arc::new(|| StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        ),
        (
            "another blob",
            Arc::new(move || wrong.clone().into_response()),
        ),
        (
            "half a blob",
            Arc::new(move || short.clone().into_response()),
        ),
        ("too much", Arc::new(|| endless(&[0; 8192]))),
        (
            "stalling",
            Arc::new(|| crate::support::faults::stalled(b"\0asm")),
        ),
        ("elsewhere", Arc::new(|| redirect("http://example.com/x"))),
    ];
    for (what, lie) in lies {
        let honest = Honest::new(&answer());
        let good = honest.clone();
        let mirror = Faults::start(move |seen| match seen.target.contains("/blobs/") {
            true => lie(),
            false => good.answer(&plain(seen)),
        })
        .await;
        let upstream = Faults::start(move |seen| honest.answer(seen)).await;
        let idle = match what {
            "stalling" => Duration::from_secs(3),
            _ => DEADLINE,
        };
        let load = load_within(idle, &[(&mirror.address(), BOTH)]);
        let fetched = load.run(&upstream.reference("a:v1")).await.expect(what);
        assert_eq!(
            fetched.component.digest,
            Digest::of(&binary(ANSWER)),
            "{what}"
        );
        let kept = std::fs::read(&fetched.component.path).expect("staged");
        assert_eq!(kept, binary(ANSWER), "{what}");
        assert_eq!(load.staged(), ["component.wasm"], "{what}");
        // Once, although a retry at the mirror might have succeeded.
        assert_eq!(blobs(&mirror.seen()), 1, "{what}");
        // The manifest came from the mirror, the blob from the registry.
        assert_eq!(upstream.seen().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_wrong_blob_everywhere_is_kept_nowhere() {
    let mut wrong = binary(ANSWER);
    wrong[20] ^= 1;
    let honest = Honest::new(&answer());
    let lie = move |seen: &Seen| match seen.target.contains("/blobs/") {
        true => wrong.clone().into_response(),
        false => honest.answer(&plain(seen)),
    };
    let (mirror, upstream) = (Faults::start(lie.clone()).await, Faults::start(lie).await);
    let load = load(&[(&mirror.address(), PULL)]);
    let error = load.fails(&upstream.reference("a:v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("digest-mismatch", Class::Verification)
    );
    let labels: Vec<_> = error.facts().into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["expected", "computed", "tried", "tried"]);
}

#[tokio::test]
async fn an_old_tag_of_a_mirror_misleads_only_who_trusts_it() {
    let old = Artifact::without_config(&[(WASM, &binary(EMPTY))]);
    let (stale, fresh) = (Honest::new(&old), Honest::new(&answer()));
    let mirror = Faults::start(move |seen| stale.answer(&plain(seen))).await;
    let upstream = Faults::start(move |seen| fresh.answer(seen)).await;
    let reference = upstream.reference("a:v1");

    let pulls = load(&[(&mirror.address(), PULL)]);
    let fetched = pulls.run(&reference).await.expect("a pull");
    assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
    // It was asked only for the digest that the registry named, and for no tag.
    let seen = mirror.seen();
    assert!(
        seen.iter().all(|one| !one.target.contains("v1?")),
        "{seen:?}"
    );

    let trusts = load(&[(&mirror.address(), BOTH)]);
    let fetched = trusts.run(&reference).await.expect("a pull");
    assert_eq!(fetched.component.digest, Digest::of(&binary(EMPTY)));
}

#[tokio::test]
async fn a_manifest_that_differs_is_asked_of_the_next_host() {
    let old = Artifact::without_config(&[(WASM, &binary(EMPTY))]);
    let bytes = old.bytes();
    let mirror = Faults::start(move |_| bytes.clone().into_response()).await;
    let honest = Honest::new(&answer());
    let upstream = Faults::start(move |seen| honest.answer(seen)).await;
    let load = load(&[(&mirror.address(), PULL)]);
    let fetched = load.run(&upstream.reference("a:v1")).await.expect("a pull");
    assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
}

#[tokio::test]
async fn a_page_for_every_address_resolves_no_tag() {
    let portal = Faults::start(|_| "<html>please log in</html>".into_response()).await;
    let honest = Honest::new(&answer());
    let upstream = Faults::start(move |seen| honest.answer(seen)).await;
    let load = load(&[(&portal.address(), BOTH)]);
    let fetched = load.run(&upstream.reference("a:v1")).await.expect("a pull");
    assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
}

#[tokio::test]
async fn a_mirror_that_fails_is_left_alone_for_the_rest_of_the_pull() {
    for status in [429, 500, 503] {
        let status = StatusCode::from_u16(status).expect("a status");
        let mirror = Faults::start(move |_| status.into_response()).await;
        let honest = Honest::new(&Artifact::new(&[(WASM, &binary(ANSWER))]));
        let upstream = Faults::start(move |seen| honest.answer(seen)).await;
        let load = load(&[(&mirror.address(), BOTH)]);
        let reference = upstream.reference("a:v1");
        let fetched = load.run(&reference).await.expect("a pull");
        // HEAD at both, then manifest, component and config at the registry.
        assert_eq!(mirror.seen().len(), 1, "{status}");
        assert_eq!(upstream.seen().len(), 4, "{status}");
        assert_eq!((fetched.receipt.requests, fetched.receipt.retries), (5, 0));
        std::fs::remove_file(&fetched.component.path).expect("staged");
        // It may be up again at the next load.
        load.run(&reference).await.expect("a pull");
        assert_eq!(mirror.seen().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn only_the_last_host_is_waited_for() {
    let busy = || StatusCode::SERVICE_UNAVAILABLE.into_response();
    let (mirror, upstream) = (
        Faults::start(move |_| busy()).await,
        Faults::start(move |_| busy()).await,
    );
    let load = load(&[(&mirror.address(), BOTH)]);
    load.fails(&upstream.reference("a:v1")).await;
    // The last request is for the message.
    assert_eq!((mirror.seen().len(), upstream.seen().len()), (1, 5));
}

#[tokio::test]
async fn mirrors_that_are_down_or_mute_are_passed_over() {
    let mute = Faults::start_async(|_| std::future::pending()).await;
    // A port on which no one listens any more.
    let down = Faults::start(|_| StatusCode::OK.into_response())
        .await
        .address();
    let honest = Honest::new(&answer());
    let upstream = Faults::start(move |seen| honest.answer(seen)).await;
    let idle = Duration::from_secs(3);
    let load = load_within(idle, &[(&mute.address(), BOTH), (&down, BOTH)]);
    let fetched = load.run(&upstream.reference("a:v1")).await.expect("a pull");
    let tried = [mute.address(), down, upstream.address()];
    assert_eq!(fetched.receipt.hosts_tried, tried);
}
