use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::reference::ComponentId;

fn names(catalog: &Catalog, terms: &[&str]) -> Vec<String> {
    let found = catalog.search(terms, Match::Exact);
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
        names(catalog, &["WEATHER", "javascript"]),
        ["get-weather-js", "get-open-meteo-weather-js"]
    );
    assert_eq!(
        names(catalog, &["weather javascript open-meteo"]),
        ["get-open-meteo-weather-js"]
    );
    assert_eq!(names(catalog, &["ghcr.io", "arxiv", "rust"]), ["arxiv-rs"]);
    assert!(names(catalog, &["weather", "arxiv"]).is_empty());
    assert_eq!(names(catalog, &[]).len(), 22);
    assert_eq!(names(catalog, &["", " "]).len(), 22);
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

/// Entries with invented words; numbers make their names distinct.
fn invented(count: usize, words: &[String]) -> Catalog {
    let word = |at: usize| words[at % words.len()].as_str();
    let entries: Vec<_> = (0..count)
        .map(|n| {
            serde_json::json!({
                "name": format!("{}-{n}", word(n)),
                "description": format!("{} {} {}", word(n / 3 + 1), word(n / 7 + 2), word(n / 11)),
                "uri": format!("oci://registry.example/{}/{n}:latest", word(n / 5)),
            })
        })
        .collect();
    Catalog::parse(&serde_json::json!(entries).to_string()).expect("a catalog")
}

fn ranked<'a>(catalog: &'a Catalog, terms: &[&str]) -> Vec<&'a str> {
    let found = catalog.search(terms, Match::Ranked);
    found.into_iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn names_come_before_descriptions_and_these_before_uris() {
    let list = r#"[
        {"name": "zeta", "description": "z", "uri": "oci://x.io/clock:v1"},
        {"name": "eta", "description": "a clock tower", "uri": "oci://x.io/e"},
        {"name": "theta", "description": "clockwork", "uri": "oci://x.io/t"},
        {"name": "overclock", "description": "o", "uri": "oci://x.io/o"},
        {"name": "clockwise-js", "description": "c", "uri": "oci://x.io/w"},
        {"name": "my-clock", "description": "m", "uri": "oci://x.io/m"},
        {"name": "clock", "description": "the one", "uri": "oci://x.io/c"},
        {"name": "other", "description": "o", "uri": "oci://x.io/p"}
    ]"#;
    let catalog = Catalog::parse(list).expect("a catalog");
    let order = [
        "my-clock",
        "clock",
        "clockwise-js",
        "overclock",
        "eta",
        "theta",
        "zeta",
    ];
    assert_eq!(ranked(&catalog, &["CLOCK"]), order);
    // In document order, by plain search.
    let plain = names(&catalog, &["clock"]);
    assert_eq!(plain[..3], ["zeta", "eta", "theta"]);
    assert_eq!(plain.len(), order.len());
}

#[test]
fn slips_are_forgiven_where_nothing_is_meant_literally() {
    let catalog = Catalog::bundled();
    for (typed, meant) in [
        ("wether", "get-weather-js"),
        ("gihtub", "github-js"),
        ("arxvi", "arxiv-rs"),
        ("filesytem", "filesystem-rs"),
        ("memory-sj", "memory-js"),
        ("serach-brave", ""),
    ] {
        let found = ranked(catalog, &[typed]);
        assert_eq!(found.first().copied().unwrap_or_default(), meant, "{typed}");
        assert!(names(catalog, &[typed]).is_empty(), "{typed}");
    }
    // An existing word is never a typo of another, and short words have no typos.
    assert!(
        ranked(catalog, &["rust"])
            .iter()
            .all(|name| name.ends_with("-rs"))
    );
    assert!(ranked(catalog, &["xs"]).is_empty());
    // Typos do not make up for a missing term.
    assert!(ranked(catalog, &["wether", "absent"]).is_empty());
    assert_eq!(
        ranked(catalog, &["wether", "javascript"])[0],
        "get-weather-js"
    );
}

proptest! {
    #[test]
    fn more_terms_never_find_more(terms in proptest::collection::vec("[a-z]{1,6}", 1..4)) {
        let catalog = Catalog::bundled();
        for how in [Match::Ranked, Match::Exact] {
            let all = catalog.search(&terms, how);
            let fewer = catalog.search(&terms[1..], how);
            prop_assert!(all.iter().all(|entry| fewer.contains(entry)));
        }
    }

    #[test]
    fn what_occurs_is_found_by_both_rules(
        words in proptest::collection::vec("[a-z]{2,9}", 3..20),
        terms in proptest::collection::vec("[a-z0-9]{1,3}", 1..3),
    ) {
        let catalog = invented(200, &words);
        let exact = catalog.search(&terms, Match::Exact);
        let ranked = catalog.search(&terms, Match::Ranked);
        prop_assert!(exact.iter().all(|entry| ranked.contains(entry)));
        // Terms of up to three letters have no typos.
        prop_assert_eq!(exact.len(), ranked.len());
    }

    #[test]
    fn any_terms_are_searched(terms in proptest::collection::vec(".{0,40}", 0..4)) {
        Catalog::bundled().search(&terms, Match::Ranked);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn ten_thousand_entries_are_searched(
        words in proptest::collection::vec("[a-z]{8,12}", 50..60),
        at in 0..10_000_usize,
        letter in 1..7_usize,
    ) {
        let catalog = invented(10_000, &words);
        let wanted = &catalog.entries()[at].name;
        prop_assert_eq!(ranked(&catalog, &[wanted])[0], wanted);
        prop_assert_eq!(ranked(&catalog, &[]).len(), 10_000);
        // Two letters are exchanged.
        let (word, number) = wanted.split_once('-').expect("a word and a number");
        let mut letters: Vec<char> = word.chars().collect();
        letters.swap(letter - 1, letter);
        let slip: String = letters.into_iter().collect();
        // Unless it is an existing word.
        if !names(&catalog, &[&slip]).is_empty() {
            return Ok(());
        }
        let found = ranked(&catalog, &[&slip, &format!("-{number}")]);
        prop_assert!(found.contains(&wanted.as_str()), "{slip} does not find {wanted}");
    }
}
