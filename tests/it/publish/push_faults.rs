//! Pushes to registries that lie, lose data or redirect.

use std::sync::{Arc, Mutex};

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use wassette::digest::Digest;
use wassette::registry::{CredentialOptions, Error, Uploaded};

use crate::support::artifact::Artifact;
use crate::support::components::padded;
use crate::support::faults::{Faults, Seen};
use crate::support::pusher::Pusher;

const REFERENCE: &str = "a:v1";

fn started(location: &str) -> Response {
    (StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response()
}

/// A registry that has no blob, and answers the start of an upload with `answer`.
async fn beginning(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Faults {
    Faults::start(move |seen: &Seen| match seen.method {
        Method::POST => answer(),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await
}

#[tokio::test]
async fn an_upload_needs_a_place_that_is_allowed() {
    for location in [
        None,
        Some("ftp://127.0.0.1/x"),
        Some("http://registry.example/x"),
        Some("http://"),
    ] {
        let server = beginning(move || match location {
            Some(location) => started(location),
            None => StatusCode::ACCEPTED.into_response(),
        })
        .await;
        let (pusher, reference) = (Pusher::new(), server.reference(REFERENCE));
        let pushed = pusher.push_blob(&reference, b"blob").await;
        let error = pushed.expect_err("no place");
        assert!(
            matches!(error, Error::Refusal { .. }),
            "{location:?}: {error}"
        );
        let sent = server.seen();
        assert!(
            sent.iter().all(|seen| seen.method != Method::PUT),
            "{sent:?}"
        );
    }
}

#[tokio::test]
async fn a_blob_that_was_accepted_and_forgotten_is_an_error() {
    let server = Faults::start(|seen: &Seen| match seen.method {
        Method::POST => started("/upload"),
        Method::PUT => StatusCode::CREATED.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    let (pusher, reference) = (Pusher::new(), server.reference(REFERENCE));
    let pushed = pusher.push_blob(&reference, b"blob").await;
    let error = pushed.expect_err("forgotten");
    assert!(
        matches!(error, Error::Forgotten { digest, .. } if digest == Digest::of(b"blob")),
        "{error}"
    );
}

#[tokio::test]
async fn the_words_of_a_registry_that_refuses_a_manifest_are_shown() {
    let words = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"too many layers"}]}"#;
    let server = Faults::start(move |seen: &Seen| match seen.method {
        Method::PUT => (StatusCode::BAD_REQUEST, words).into_response(),
        _ => StatusCode::OK.into_response(),
    })
    .await;
    let artifact = Artifact::without_config(&[]);
    let (pusher, reference) = (Pusher::new(), server.reference(REFERENCE));
    let pushed = pusher.push(&reference, &artifact).await;
    let error = pushed.expect_err("refused");
    let text = error.to_string();
    assert!(text.contains("MANIFEST_INVALID: too many layers"), "{text}");
}

#[tokio::test]
async fn a_manifest_stored_under_another_digest_is_an_error() {
    let other = Digest::of(b"other").to_string();
    let server = Faults::start(move |seen: &Seen| match seen.method {
        Method::PUT => {
            let digest = [("docker-content-digest", other.clone())];
            (StatusCode::CREATED, digest).into_response()
        }
        _ => StatusCode::OK.into_response(),
    })
    .await;
    let artifact = Artifact::without_config(&[]);
    let (pusher, reference) = (Pusher::new(), server.reference(REFERENCE));
    let pushed = pusher.push(&reference, &artifact).await;
    let error = pushed.expect_err("another digest");
    assert!(matches!(error, Error::Refusal { .. }), "{error}");
}

#[tokio::test]
async fn credentials_are_not_sent_to_another_host() {
    let storage = Faults::start(|_| StatusCode::CREATED.into_response()).await;
    let place = storage.url("/upload");
    let uploaded = Arc::new(Mutex::new(false));
    let registry = Faults::start(move |seen: &Seen| {
        let mut uploaded = uploaded.lock().expect("no panic");
        match (&seen.authorization, &seen.method) {
            (None, _) => {
                let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"r\"")];
                (StatusCode::UNAUTHORIZED, challenge).into_response()
            }
            (Some(_), &Method::POST) => {
                *uploaded = true;
                started(&place)
            }
            _ if *uploaded => StatusCode::OK.into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
    .await;
    let pusher = Pusher::with(CredentialOptions {
        registry_auth: Some(format!("{}:bob:pw", registry.address()).into()),
        ..CredentialOptions::default()
    });
    let reference = registry.reference(REFERENCE);
    let sent = pusher.push_blob(&reference, b"blob").await;
    assert_eq!(sent.expect("a push"), Uploaded::Sent);
    let asked = storage.seen();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].method, Method::PUT);
    assert_eq!(asked[0].authorization, None);
}

/// A registry that fails in the middle of the first upload.
#[derive(Default)]
struct Failing {
    /// The bytes of the upload that it has received.
    received: Vec<u8>,
    whole: Option<Vec<u8>>,
    /// The size of each request's body.
    sizes: Vec<usize>,
    puts: usize,
    /// Whether it keeps an interrupted upload.
    remembers: bool,
}

impl Failing {
    fn answer(&mut self, method: &Method, body: &[u8]) -> Response {
        self.sizes.push(body.len());
        self.puts += usize::from(*method == Method::PUT);
        match *method {
            Method::HEAD if self.whole.is_some() => StatusCode::OK.into_response(),
            Method::POST => {
                self.received.clear();
                started("/upload")
            }
            Method::PUT if self.puts == 1 => {
                self.received.extend_from_slice(&body[..body.len() / 2]);
                StatusCode::BAD_GATEWAY.into_response()
            }
            Method::GET if self.remembers => {
                let range = format!("0-{}", self.received.len() - 1);
                let headers = [
                    (header::LOCATION, "/upload"),
                    (header::RANGE, range.as_str()),
                ];
                (StatusCode::NO_CONTENT, headers).into_response()
            }
            Method::PATCH => {
                self.received.extend_from_slice(body);
                started("/upload")
            }
            Method::PUT => {
                self.received.extend_from_slice(body);
                self.whole = Some(self.received.clone());
                StatusCode::CREATED.into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on() {
    let blob = padded(200_000);
    for remembers in [true, false] {
        let failing = Failing {
            remembers,
            ..Failing::default()
        };
        let failing = Arc::new(Mutex::new(failing));
        let state = failing.clone();
        let server = Faults::start_reading(move |seen, body| {
            state.lock().expect("no panic").answer(&seen.method, &body)
        })
        .await;
        let reference = server.reference(REFERENCE);
        let sent = Pusher::new().push_blob(&reference, &blob).await;
        assert_eq!(sent.expect("a push"), Uploaded::Sent);
        let state = failing.lock().expect("no panic");
        assert!(state.whole.as_deref() == Some(&blob[..]), "{remembers}");
        let sizes = &state.sizes;
        let sent: usize = sizes.iter().sum();
        // The first half is sent only once if the registry keeps it.
        let expected = match remembers {
            true => blob.len() + blob.len().div_ceil(2),
            false => 2 * blob.len(),
        };
        assert_eq!(sent, expected, "{sizes:?}");
    }
}
