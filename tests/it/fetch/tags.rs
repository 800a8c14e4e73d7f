//! The error of a missing tag lists the existing tags.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use wassette::error::{Diagnose, Report};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Seen};
use crate::support::registry::Registry;

#[tokio::test]
async fn a_real_registry_names_its_tags() {
    let registry = Registry::start();
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    for tag in ["1.2.0", "1.10.0", "latest"] {
        registry.push("a", tag, &artifact).await;
    }
    let error = Load::new().fails(&registry.reference("a:1.2.1")).await;
    assert_eq!(error.code(), "not-found");
    let facts = error.facts();
    assert!(
        facts.contains(&("tags", "latest, 1.10.0, 1.2.0".to_owned())),
        "{facts:?}"
    );
    assert_eq!(error.hint().unwrap(), "did you mean `1.2.0`?");
    // For a missing repository there are no tags to list.
    let error = Load::new().fails(&registry.reference("b:1")).await;
    assert_eq!((error.code(), error.facts().len()), ("not-found", 0));
}

/// A registry without the tag, whose tag lists are `lists`.
async fn registry_with(lists: fn(&Seen) -> Response) -> Faults {
    Faults::start(move |seen| match seen.target.contains("/tags/list") {
        true => lists(seen),
        false => StatusCode::NOT_FOUND.into_response(),
    })
    .await
}

fn list(tags: &[&str]) -> String {
    serde_json::json!({ "name": "a", "tags": tags }).to_string()
}

#[tokio::test]
async fn lists_come_in_pages_which_are_bounded() {
    let server = registry_with(|seen| match seen.target.contains("last=") {
        true => list(&["v2"]).into_response(),
        false => {
            let next = [("link", "</v2/a/tags/list?n=1&last=v1>; rel=\"next\"")];
            (next, list(&["v1", "no tag\u{1b}[31m"])).into_response()
        }
    })
    .await;
    let error = Load::new().fails(&server.reference("a:v3")).await;
    assert!(error.facts().contains(&("tags", "v2, v1".to_owned())));

    // A list without end, and one whose next page is at another host, which is not requested.
    let endless = registry_with(|_| {
        let next = [("link", "</v2/a/tags/list?n=1&last=v1>; rel=\"next\"")];
        (next, list(&["v1"])).into_response()
    })
    .await;
    Load::new().fails(&endless.reference("a:v3")).await;
    let lists = |seen: &&Seen| seen.target.contains("/tags/list");
    assert_eq!(endless.seen().iter().filter(lists).count(), 10);
    let elsewhere = registry_with(|_| {
        let next = [("link", "<http://127.0.0.1:9/v2/a/tags/list>; rel=\"next\"")];
        (next, list(&["v1"])).into_response()
    })
    .await;
    let error = Load::new().fails(&elsewhere.reference("a:v3")).await;
    assert!(error.facts().contains(&("tags", "v1".to_owned())));
}

#[tokio::test]
async fn a_list_that_is_none_changes_nothing_of_the_error() {
    let answers: [fn(&Seen) -> Response; 4] = [
        |_| "<html>".into_response(),
        |_| r#"{"name":"a","tags":null}"#.into_response(),
        |_| StatusCode::NOT_FOUND.into_response(),
        |_| format!(r#"{{"tags":["{}"]}}"#, "x".repeat(5 << 20)).into_response(),
    ];
    for answer in answers {
        let server = registry_with(answer).await;
        let error = Load::new().fails(&server.reference("a:v1")).await;
        assert_eq!(error.code(), "not-found");
        let told = Report::new(&error).to_string();
        assert!(told.contains("check repository and tag"), "{told}");
        assert!(!told.contains("tags:"), "{told}");
    }
}
