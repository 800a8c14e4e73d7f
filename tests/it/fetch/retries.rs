//! Which failures are retried, and how often.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use tokio::net::TcpListener;
use wassette::error::{Class, Diagnose};
use wassette::fetch::{FetchOptions, Fetcher};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest, Seen, dripping, endless};

fn honest() -> Honest {
    Honest::new(&Artifact::new(&[(WASM, &binary(ANSWER))]))
}

/// Fails each request this many times before it succeeds.
async fn failing(
    times: usize,
    fault: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> Faults {
    let honest = honest();
    let asked = Arc::new(Mutex::new(std::collections::HashMap::new()));
    Faults::start(move |seen: &Seen| {
        let mut asked = asked.lock().expect("no panic");
        let key = (seen.method.clone(), seen.target.clone());
        let count: &mut usize = asked.entry(key).or_default();
        *count += 1;
        match *count <= times {
            true => fault(),
            false => honest.answer(seen),
        }
    })
    .await
}

#[tokio::test]
async fn states_that_pass_are_waited_for() {
    for status in [408, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).expect("a status");
        let server = failing(3, move || status.into_response()).await;
        let fetched = Load::new().run(&server.reference("a:v1")).await;
        let receipt = fetched.expect("a pull").receipt;
        // HEAD, manifest, config, component.
        assert_eq!((receipt.requests, receipt.retries), (16, 12), "{status}");
    }
}

#[tokio::test]
async fn patience_ends() {
    // One more request each, for the message of the refusal.
    for (retries, requests) in [(3, 5), (0, 2)] {
        let server = failing(9, || StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
        let options = FetchOptions {
            net: wassette::net::Options {
                retries,
                ..Default::default()
            },
            ..FetchOptions::default()
        };
        let error = Load::with(options).fails(&server.reference("a:v1")).await;
        assert_eq!(error.class(), Class::Network);
        assert_eq!(server.seen().len(), requests);
    }
}

#[tokio::test]
async fn other_refusals_are_final() {
    for status in [400, 401, 403, 404, 410, 501] {
        let status = StatusCode::from_u16(status).expect("a status");
        let honest = honest();
        let server = Faults::start(move |seen| match seen.target.contains("/blobs/") {
            true => status.into_response(),
            false => honest.answer(seen),
        })
        .await;
        let load = Load::new();
        load.run(&server.reference("a:v1"))
            .await
            .expect_err("refused");
        let seen = server.seen();
        let mut blobs: Vec<_> = seen
            .iter()
            .filter(|s| s.target.contains("/blobs/"))
            .collect();
        let all = blobs.len();
        blobs.dedup_by_key(|seen| &seen.target);
        assert_eq!(all, blobs.len(), "{status}");
    }
}

#[tokio::test]
async fn a_complete_body_with_another_digest_is_final() {
    let honest = honest();
    let mut tampered = binary(ANSWER);
    tampered[20] ^= 1;
    let size = tampered.len();
    let server = Faults::start(move |seen| {
        let whole = honest.answer(seen);
        let length = axum::body::HttpBody::size_hint(whole.body()).exact();
        match seen.target.contains("/blobs/") && length == Some(size as u64) {
            true => tampered.clone().into_response(),
            false => whole,
        }
    })
    .await;
    let error = Load::new().run(&server.reference("a:v1")).await;
    assert_eq!(error.expect_err("tampered").code(), "digest-mismatch");
    // HEAD, manifest, and each blob once at most.
    assert!(server.seen().len() <= 4);
}

#[tokio::test]
async fn retry_after_is_heeded_within_reason() {
    for after in [
        "0",
        "999999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "-1",
        "yesterday",
        "",
    ] {
        let limited = move || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", after)]);
        let server = failing(2, move || limited().into_response()).await;
        Load::new()
            .run(&server.reference("a:v1"))
            .await
            .expect("a pull");
    }
}

#[tokio::test]
async fn a_sensible_pause_is_kept() {
    // Dates count whole seconds.
    let soon = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    let pauses: [fn() -> String; 2] = [|| "1".to_owned(), soon];
    for after in pauses {
        let honest = honest();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let times = asked.clone();
        let server = Faults::start(move |seen| {
            let mut times = times.lock().expect("no panic");
            times.push(Instant::now());
            match times.len() {
                1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", after())]).into_response(),
                _ => honest.answer(seen),
            }
        })
        .await;
        let load = Load {
            fetcher: Fetcher::new(FetchOptions {
                net: wassette::net::Options {
                    retry_base: Duration::from_millis(1),
                    retry_max: Duration::from_secs(5),
                    ..Default::default()
                },
                ..FetchOptions::default()
            }),
            staging: tempfile::TempDir::new().expect("a temporary directory"),
        };
        load.run(&server.reference("a:v1")).await.expect("a pull");
        let asked = asked.lock().expect("no panic");
        assert!(asked[1] - asked[0] >= Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_connection_that_is_hung_up_is_made_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let count = Arc::new(AtomicUsize::new(0));
    let accepted = count.clone();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let load = Load::new();
    let error = load.fails(&format!("oci://{address}/a:v1")).await;
    assert_eq!(error.class(), Class::Network);
    assert_eq!(count.load(Ordering::SeqCst), 4);
    task.abort();
}

fn impatient() -> FetchOptions {
    FetchOptions {
        net: wassette::net::Options {
            idle_timeout: Duration::from_millis(60),
            connect_timeout: Duration::from_millis(60),
            retries: 1,
            ..Default::default()
        },
        ..FetchOptions::default()
    }
}

#[tokio::test]
async fn a_host_that_accepts_and_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    for reference in [
        format!("oci://{address}/a:v1"),
        format!("https://{address}/a.wasm"),
    ] {
        let error = Load::with(impatient()).fails(&reference).await;
        assert_eq!(error.code(), "network-timeout");
    }
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let drip = || dripping(Duration::from_millis(10));
    let slow = FetchOptions {
        net: wassette::net::Options {
            min_speed: 1_000_000,
            ..impatient().net
        },
        ..impatient()
    };
    // Slow drips satisfy the minimum speed, but not the limit on the whole time.
    let long = FetchOptions {
        net: wassette::net::Options {
            min_speed: 0,
            transfer_timeout: Duration::from_millis(100),
            ..impatient().net
        },
        ..impatient()
    };
    for options in [slow, long] {
        let manifests = Faults::start(move |seen| match seen.method == Method::HEAD {
            true => StatusCode::METHOD_NOT_ALLOWED.into_response(),
            false => drip(),
        })
        .await;
        let honest = honest();
        let blobs = Faults::start(move |seen| match seen.target.contains("/blobs/") {
            true => drip(),
            false => honest.answer(seen),
        })
        .await;
        let files = Faults::start(move |_| drip()).await;
        for reference in [
            manifests.reference("a:v1"),
            blobs.reference("a:v1"),
            files.url("/a.wasm"),
        ] {
            let load = Load::with(options.clone());
            let error = load.run(&reference).await.expect_err("it drips");
            assert_eq!(error.code(), "network-timeout", "{reference}");
        }
    }
}

#[tokio::test]
async fn bodies_of_100_mb_are_not_read() {
    const CHUNK: &[u8] = &[b' '; 64 * 1024];
    let big = || endless(CHUNK);
    let manifest = Faults::start(move |seen| match seen.method == Method::HEAD {
        true => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        false => big(),
    })
    .await;
    let error = Load::new().fails(&manifest.reference("a:v1")).await;
    assert_eq!(error.code(), "too-large");

    let token = Faults::start(move |_| big()).await;
    let challenge = format!("Bearer realm=\"{}\"", token.url("/token"));
    let registry = Faults::start(move |_| {
        let challenge = [("www-authenticate", challenge.clone())];
        (StatusCode::UNAUTHORIZED, challenge).into_response()
    })
    .await;
    let error = Load::new().fails(&registry.reference("a:v1")).await;
    assert_eq!(error.code(), "too-large");

    let refusal = Faults::start(move |_| {
        let mut response = big();
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    })
    .await;
    let error = Load::new().fails(&refusal.reference("a:v1")).await;
    assert_eq!(error.code(), "unauthorized");
    for server in [manifest, token, registry, refusal] {
        assert!(server.seen().len() <= 2, "none of it is tried again");
    }
}
