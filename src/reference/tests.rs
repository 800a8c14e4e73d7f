use proptest::prelude::*;

use super::*;
use crate::digest::Digest;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(text: &str) -> Result<Reference, InvalidReference> {
    Reference::parse(text, Path::new("/work/here"))
}

fn oci(text: &str) -> OciReference {
    match parse(text) {
        Ok(Reference::Oci(oci)) => oci,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn canonical_forms() {
    for (text, canonical) in [
        (
            "oci://ghcr.io/acme/weather",
            "oci://ghcr.io/acme/weather:latest".to_owned(),
        ),
        (
            "OCI://GHCR.io/acme/weather:V1.2_x-y",
            "oci://ghcr.io/acme/weather:V1.2_x-y".to_owned(),
        ),
        (
            "oci://localhost:5000/a/b__c/d.e--f:1",
            "oci://localhost:5000/a/b__c/d.e--f:1".to_owned(),
        ),
        (
            "oci://[0:0::1]:5000/a",
            "oci://[::1]:5000/a:latest".to_owned(),
        ),
        (
            "oci-layout:///media/usb/weather:1.2",
            "oci-layout:///media/usb/weather:1.2".to_owned(),
        ),
        (
            "oci-layout:///media/a%3Ab/./x%20y/",
            "oci-layout:///media/a%3Ab/x%20y".to_owned(),
        ),
        (
            &format!("oci-layout:///x:v1@{DIGEST}"),
            format!("oci-layout:///x:v1@{DIGEST}"),
        ),
        (
            &format!("oci://ghcr.io/a/b@{DIGEST}"),
            format!("oci://ghcr.io/a/b@{DIGEST}"),
        ),
        (
            &format!("oci://ghcr.io/a/b:1@{DIGEST}"),
            format!("oci://ghcr.io/a/b:1@{DIGEST}"),
        ),
        ("https://Example.com", "https://example.com/".to_owned()),
        (
            "https://example.com/x.wasm?v=1",
            "https://example.com/x.wasm?v=1".to_owned(),
        ),
        (
            "http://127.0.0.1:80/x.wasm",
            "http://127.0.0.1/x.wasm".to_owned(),
        ),
        (
            "http://[::1]:8080/x.wasm",
            "http://[::1]:8080/x.wasm".to_owned(),
        ),
        ("file:///a/b%20c.wasm", "file:///a/b%20c.wasm".to_owned()),
        ("file://localhost/a.wasm", "file:///a.wasm".to_owned()),
        ("file:///a/../../b.wasm", "file:///b.wasm".to_owned()),
        ("x.wasm", "file:///work/here/x.wasm".to_owned()),
        (
            "./a b/../é.wasm",
            "file:///work/here/%C3%A9.wasm".to_owned(),
        ),
        ("../x.wasm", "file:///work/x.wasm".to_owned()),
        ("/abs/x.wasm", "file:///abs/x.wasm".to_owned()),
        ("a:b.wasm", "file:///work/here/a:b.wasm".to_owned()),
    ] {
        let reference = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(reference.to_string(), canonical);
    }
}

#[test]
fn parts_of_an_oci_reference() {
    let plain = oci("oci://ghcr.io/acme/weather");
    assert_eq!(plain.registry(), "ghcr.io");
    assert_eq!(plain.host(), "ghcr.io");
    assert_eq!(plain.repository(), "acme/weather");
    assert_eq!(plain.name(), "weather");
    assert_eq!(plain.tag(), Some("latest"));

    let pinned = oci(&format!("oci://[::1]:5000/a@{DIGEST}"));
    assert_eq!(pinned.host(), "[::1]");
    assert_eq!(oci("oci://[::1]/a").host(), "[::1]");
    assert_eq!(pinned.tag(), None);
    assert_eq!(
        pinned.digest().map(|d| d.to_string()).as_deref(),
        Some(DIGEST)
    );
}

#[test]
fn bad_references_show_the_place() {
    for (text, place, reason) in [
        ("", "^", "empty"),
        ("ftp://x/y", "^", "scheme is not known"),
        ("oci:ghcr.io/a", "    ^", "followed by `//`"),
        ("oci://ghcr.io", "             ^", "repository is missing"),
        ("oci:///a/b", "      ^", "registry is missing"),
        ("oci://gh_cr.io/a", "        ^", "a host can contain"),
        ("oci://-a.io/a", "      ^", "part of a host"),
        ("oci://a..b/a", "        ^", "part of a host"),
        ("oci://u:p@a.io/a", "         ^", "user names"),
        ("oci://a.io:0/a", "          ^", "the port"),
        ("oci://a.io:+80/a", "          ^", "the port"),
        ("oci://a.io:65536/a", "          ^", "the port"),
        ("oci://[::1/a", "      ^", "`[` has no `]`"),
        ("oci://[::g]/a", "       ^", "IPv6"),
        ("oci://a.io/Acme/x", "           ^", "lower case"),
        ("oci://a.io/a//x", "             ^", "empty"),
        ("oci://a.io/a/../x", "             ^", "a segment is"),
        ("oci://a.io/a._b", "            ^", "a segment is"),
        ("oci://a.io/a___b", "            ^", "a segment is"),
        ("oci://a.io/a-", "            ^", "a segment is"),
        ("oci://a.io/a?x", "            ^", "a segment is"),
        ("oci://a.io/a:", "             ^", "tag is empty"),
        ("oci://a.io/a:.x", "             ^", "a tag can contain"),
        ("oci://a.io/a:x/y", "              ^", "a tag can contain"),
        ("oci://a.io/a@sha512:00", "             ^", "only sha256"),
        ("oci://a.io/a@", "             ^", "not a digest"),
        ("oci-layout:/x", "           ^", "followed by"),
        ("oci-layout://x/y", "             ^", "absolute"),
        ("oci-layout:///", "             ^", "a directory"),
        ("oci-layout:///x:", "                ^", "tag is empty"),
        ("oci-layout:///x@y", "                ^", "not a digest"),
        ("http://example.com/x", "^", "loopback"),
        ("http://localhost.example.com/x", "^", "loopback"),
        ("https://u:p@example.com/x", "        ^", "user names"),
        (
            "https://example.com/x#y",
            "                     ^",
            "only a digest",
        ),
        ("https:///x", "        ^", "host is missing"),
        ("https://", "        ^", "host"),
        ("file://a/b", "       ^", "absolute"),
        ("file://", "       ^", "absolute"),
        ("file:///a?b", "         ^", "%3F"),
        ("file:///a%00b", "       ^", "zero byte"),
        ("a\u{1b}[0m", " ^", "control characters"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(
            error.ends_with(&format!("\n    {place}")),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_long_text_is_cut_around_the_place() {
    let text = format!("oci://ghcr.io/{}/A", "a".repeat(200));
    let error = parse(&text).expect_err("upper case").to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines[1].chars().nth(lines[2].len() - 1),
        Some('A'),
        "{error}"
    );
    assert!(lines[1].len() <= 104, "{error}");
    assert!(parse(&"a".repeat(5000)).is_err());
}

#[test]
fn stored_references_are_uris() {
    for text in ["x.wasm", "/abs/x.wasm", "a:b.wasm"] {
        assert!(text.parse::<Reference>().is_err(), "{text}");
    }
    let reference: Reference = serde_json::from_str("\"oci://a.io/b\"").expect("a URI");
    let json = serde_json::to_string(&reference).expect("a string");
    assert_eq!(json, "\"oci://a.io/b:latest\"");
}

#[test]
fn default_ids() {
    for (text, id) in [
        ("oci://ghcr.io/acme/get_Weather", None),
        (
            "oci://ghcr.io/acme/get_weather.js:1",
            Some("get-weather-js"),
        ),
        (
            "https://example.com/x/Time%20Server.wasm?v=1",
            Some("time-20server"),
        ),
        ("https://example.com/a/b/", Some("b")),
        ("/a/My Component (2).wasm", Some("my-component-2")),
        ("/a/.wasm", Some("wasm")),
        ("/a/été.wat", Some("t")),
        ("/a/日本.wasm", None),
        ("https://example.com/", None),
    ] {
        let found = parse(text).ok().and_then(|r| r.default_id().ok());
        assert_eq!(found.as_ref().map(ComponentId::as_str), id, "{text}");
    }
}

#[test]
fn a_web_address_may_pin_its_file() {
    let digest = Digest::of(b"x");
    let hex = digest.hex();
    let address = format!("https://example.com/x?v=1#sha256={hex}");
    let pinned = parse(&address).expect("a reference");
    assert_eq!(pinned.content_digest(), Some(digest));
    assert_eq!(pinned.to_string(), address);
    let same = |other| pinned.same_source(&parse(other).expect("a reference"));
    assert!(same("https://example.com/x?v=1"));
    assert!(!same("https://example.com/x?v=2"));
    for bad in ["sha256=", "sha256=12", "sha512=00", &hex.to_uppercase()] {
        let text = format!("https://example.com/x#{bad}");
        parse(&text).expect_err(&text);
    }
}

#[test]
fn ids_are_strict() {
    let longest = "a".repeat(64);
    for good in ["a", "a-b", "0", "a--b", &longest] {
        assert!(ComponentId::parse(good).is_ok(), "{good}");
    }
    let too_long = "a".repeat(65);
    for bad in ["", "-a", "a-", "A", "a_b", "a/b", "..", "é", &too_long] {
        assert!(ComponentId::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn loopback_hosts() {
    for host in [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "[::1]",
    ] {
        assert!(is_loopback(host), "{host}");
    }
    for host in [
        "",
        "localhost.com",
        "128.0.0.1",
        "127.0.0.1.nip.io",
        "::2",
        "0.0.0.0",
    ] {
        assert!(!is_loopback(host), "{host}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_shows_a_caret(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.to_string().ends_with('^'));
        }
    }

    #[test]
    fn scheme_and_noise_never_panics(
        scheme in "(oci|oci-layout|https|http|file)", rest in "[a-zA-Z0-9:/@.\\[\\]%_é#? -]{0,60}",
    ) {
        if let Ok(reference) = parse(&format!("{scheme}://{rest}")) {
            let canonical = reference.to_string();
            prop_assert_eq!(canonical.parse::<Reference>(), Ok(reference), "{}", canonical);
        }
    }

    #[test]
    fn any_path_survives_its_uri(path in "(/[^\\pC/]{1,12}){1,5}") {
        let reference = parse(&path).expect("a path");
        let uri = reference.to_string();
        prop_assert_eq!(uri.parse::<Reference>(), Ok(reference));
    }

    #[test]
    fn whatever_folds_is_an_id(name in any::<String>()) {
        if let Ok(id) = ComponentId::fold(&name) {
            prop_assert_eq!(ComponentId::parse(id.as_str()), Ok(id.clone()));
            prop_assert_eq!(ComponentId::fold(id.as_str()), Ok(id));
        } else {
            prop_assert!(!name.chars().any(|c| c.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn ids_fold_to_themselves(id in "[a-z0-9]([a-z0-9]|-[a-z0-9]){0,20}") {
        prop_assert_eq!(ComponentId::fold(&id).map(String::from), Ok(id));
    }
}
