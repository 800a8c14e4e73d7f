use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::reference::ComponentId;

fn names(catalog: &Catalog, terms: &[&str]) -> Vec<String> {
    let found = catalog.search(terms);
    found.iter().map(|entry| entry.name.clone()).collect()
}

#[test]
fn the_bundled_catalog_is_sound() {
    let catalog = Catalog::bundled();
    let mut seen = HashSet::new();
    for entry in catalog.entries() {
        assert!(ComponentId::parse(&entry.name).is_ok(), "{}", entry.name);
        assert!(!entry.description.is_empty(), "{}", entry.name);
        assert!(
            entry.uri.starts_with("oci://ghcr.io/microsoft/"),
            "{}",
            entry.uri
        );
        assert!(seen.insert(&entry.name), "{} twice", entry.name);
    }
    assert_eq!(seen.len(), 22);
}

#[test]
fn every_term_must_occur_somewhere() {
    let catalog = Catalog::bundled();
    assert_eq!(
        names(&catalog, &["WEATHER", "javascript"]),
        ["get-weather-js", "get-open-meteo-weather-js"]
    );
    assert_eq!(
        names(&catalog, &["weather javascript open-meteo"]),
        ["get-open-meteo-weather-js"]
    );
    assert_eq!(names(&catalog, &["ghcr.io", "arxiv", "rust"]), ["arxiv-rs"]);
    assert!(names(&catalog, &["weather", "arxiv"]).is_empty());
    assert_eq!(names(&catalog, &[]).len(), 22);
    assert_eq!(names(&catalog, &["", " "]).len(), 22);
}

#[test]
fn both_forms_are_read() {
    let list = r#"[{"name":"a","description":"A","uri":"oci://x.io/a","more":1}]"#;
    let bare = Catalog::parse(list).expect("a bare array");
    let wrapped = Catalog::parse(&format!(r#"{{"components":{list}}}"#)).expect("an object");
    assert_eq!(bare, wrapped);
    assert_eq!(bare.entries()[0].uri, "oci://x.io/a");
}

#[test]
fn other_documents_are_refused() {
    assert!(matches!(Catalog::parse("{"), Err(InvalidCatalog::Json(_))));
    assert!(matches!(Catalog::parse("{}"), Err(InvalidCatalog::Shape)));
    assert!(matches!(
        Catalog::parse(r#"[{"name":"a"}]"#),
        Err(InvalidCatalog::Shape)
    ));
    let bad = r#"[{"name":"a","description":"","uri":"x.wasm"}]"#;
    let error = Catalog::parse(bad).expect_err("a plain path");
    assert!(error.to_string().contains("`a`"), "{error}");
}

proptest! {
    #[test]
    fn more_terms_never_find_more(terms in proptest::collection::vec("[a-z]{1,3}", 1..4)) {
        let catalog = Catalog::bundled();
        let all = catalog.search(&terms);
        let fewer = catalog.search(&terms[1..]);
        prop_assert!(all.iter().all(|entry| fewer.contains(entry)));
    }
}
