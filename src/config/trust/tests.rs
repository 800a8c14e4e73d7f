use std::path::Path;

use super::*;
use crate::config::Source;

fn scope(text: &str) -> Scope {
    Scope::try_from(text.to_owned()).unwrap()
}

fn covers(text: &str, reference: &str) -> bool {
    let reference = Reference::parse(reference, Path::new("/")).unwrap();
    scope(text).covers(&Source::of(&reference))
}

#[test]
fn a_scope_covers_what_it_names_and_all_below_it() {
    for (text, reference, is_covered) in [
        ("*", "oci://ghcr.io/a/b:1", true),
        ("*", "file:///srv/x.wasm", true),
        ("ghcr.io", "oci://ghcr.io/a/b:1", true),
        ("ghcr.io/*", "oci://ghcr.io/a/b/c:1", true),
        ("ghcr.io/acme/*", "oci://ghcr.io/acme/weather:1", true),
        ("ghcr.io/acme/*", "oci://ghcr.io/acme/a/b:1", true),
        ("ghcr.io/acme", "oci://ghcr.io/acme/a/b:1", true),
        ("GHCR.io/acme/*", "oci://ghcr.io/acme/a:1", true),
        ("ghcr.io/acme/*", "oci://ghcr.io/acme-evil/a:1", false),
        ("ghcr.io/acme/*", "oci://ghcr.io.evil/acme/a:1", false),
        ("ghcr.io/*/tools/*", "oci://ghcr.io/acme/tools/a:1", true),
        ("ghcr.io/*/tools/*", "oci://ghcr.io/acme/other/a:1", false),
        ("*.acme.io/*", "oci://reg.acme.io/a:1", true),
        ("*.acme.io/*", "oci://acme.io.evil/a:1", false),
        ("*.acme.io/*", "oci://evilacme.io/a:1", false),
        ("localhost:5000/*", "oci://localhost:5000/a:1", true),
        ("localhost:5000/*", "oci://localhost:5001/a:1", false),
        ("https://a.io/x/*", "https://a.io/x/y.wasm?z=1", true),
        ("https://a.io/x/*", "https://a.io/y.wasm", false),
        ("a.io/*", "https://a.io/y.wasm", false),
        ("file:///srv/*", "file:///srv/a/b.wasm", true),
        ("file:///srv/*", "file:///srv2/b.wasm", false),
        ("file:///srv", "file:///srv/%FF/b.wasm", true),
        ("file:///srv/%FF", "file:///srv/%FF/b.wasm", true),
        ("file:///srv/%FF", "file:///srv/%FE/b.wasm", false),
        ("file:///srv/a%20b", "file:///srv/a%20b/c.wasm", true),
        ("oci-layout:///srv", "oci-layout:///srv/%FF/x:1", true),
        // Different spellings of the same source.
        ("ghcr.io/acme", "oci://ghcr.io:443/acme/a:1", true),
        ("ghcr.io:443/acme", "oci://ghcr.io/acme/a:1", true),
        ("docker.io/acme", "oci://index.docker.io/acme/a:1", true),
        (
            "docker.io/acme",
            "oci://registry-1.docker.io/acme/a:1",
            true,
        ),
        (
            "registry-1.docker.io/acme",
            "oci://docker.io/acme/a:1",
            true,
        ),
        ("docker.io/library", "oci://docker.io/nginx:1", true),
        ("docker.io/nginx", "oci://docker.io/nginx:1", true),
        ("[0:0::1]:5000", "oci://[::1]:5000/a:1", true),
        ("https://a.io:443/x", "https://a.io/x/y.wasm", true),
        ("https://a.io/x", "https://a.io./x/y.wasm", true),
        ("https://bücher.de/x", "https://bücher.de/x/y.wasm", true),
        ("https://a.io/x", "https://a.io/%78/y.wasm", true),
        ("https://a.io/x", "https://a.io//x/y.wasm", true),
        ("https://a.io/x", "https://a.io/z%2F..%2Fx/y.wasm", true),
        // Plain HTTP is a scheme of its own.
        ("https://localhost/x", "http://localhost/x/y.wasm", false),
        ("http://localhost/x", "http://localhost/x/y.wasm", true),
        ("http://localhost:80/x", "http://localhost/x/y.wasm", true),
        ("http://localhost/x", "https://localhost/x/y.wasm", false),
    ] {
        assert_eq!(covers(text, reference), is_covered, "{text} {reference}");
    }
}

#[test]
fn what_is_no_scope_is_refused() {
    for text in [
        "",
        "/a",
        "a//b",
        "ghcr.io/a*",
        "ghcr.io/../b",
        "g*.io/a",
        "ftp://a/b",
        "ghcr.io/a:1",
        "ghcr.io/a@sha256",
        "https://a/b?c",
        "https://a b/c",
        "file:///a/%2E%2E/b",
        "file:///a/b%2Fc",
        "file:///a/%00",
        "oci-layout:///a:1",
        "ghcr.io/a b",
    ] {
        Scope::try_from(text.to_owned()).expect_err(text);
    }
}

#[test]
fn the_longer_scope_is_the_more_specific() {
    let ladder = [
        "*",
        "*.io/*",
        "ghcr.io/*",
        "ghcr.io/*/tools",
        "ghcr.io/acme/tools",
    ];
    for pair in ladder.windows(2) {
        let [less, more] = [scope(pair[0]), scope(pair[1])];
        assert!(less.specificity() < more.specificity(), "{pair:?}");
    }
    assert!(scope("a.io/b/*").is_same(&scope("oci://a.io/b")));
}

#[test]
fn only_a_pattern_of_whole_texts_is_anchored() {
    for (pattern, anchored) in [
        (r"^https://github\.com/acme/.*$", true),
        (r"^(a|b)$", true),
        (r"^a$|^b$", true),
        (r"^a|b$", false),
        (r"^a$|b", false),
        (r"https://github\.com/acme/", false),
        (r"^a", false),
        (r"a$", false),
        (r"(?m)^a$", false),
        (r"^a\$", false),
        (r"\Aa\z", true),
    ] {
        let built = Text::anchored(pattern.to_owned());
        assert_eq!(built.is_ok(), anchored, "{pattern}");
    }
    assert!(matches!(
        Text::pattern("("),
        Err(InvalidRule::Pattern { .. })
    ));
    // This pattern backtracks catastrophically in other engines; here it is linear.
    let evil = Text::anchored("^(a+)+$".into()).unwrap();
    assert!(!evil.matches(&format!("{}b", "a".repeat(50_000))));
}

fn rules(toml: &str) -> Vec<TrustRule> {
    let config: crate::config::Config = toml::from_str(toml).unwrap();
    config.trust.0
}

#[test]
fn rules_that_cross_loosen_or_name_nobody_are_told() {
    for (config, told) in [
        (
            "[[trust]]\nscope='a.io/*/x'\nrequire='digest'\n\
             [[trust]]\nscope='a.io/b/*'\nrequire='none'",
            &["both cover some components"][..],
        ),
        (
            "[[trust]]\nscope='*'\nrequire='digest'\n\
             [[trust]]\nscope='a.io'\nrequire='none'",
            &["less than the rule for `*`"],
        ),
        (
            "[[trust]]\nscope='*.io'\nrequire='digest'\n\
             [[trust]]\nscope='a.io/b'\nrequire='none'",
            &["less than the rule for `*.io`"],
        ),
        (
            "[[trust]]\nscope='*'\nrequire='digest'\n\
             [[trust]]\nscope='a.io'\nrequire='digest'\n\
             [[trust]]\nscope='a.io/b'\nrequire='digest'\n\
             [[trust]]\nscope='b.io'\nrequire='digest'\n\
             [[trust]]\nscope='c.io'\ndeny=[]\nrequire='digest'",
            &[],
        ),
        (
            "[[trust]]\nscope='*'\nrequire='signature'",
            &["lets nothing through"],
        ),
        (
            "[[trust]]\nscope='*'\nrequire='digest'\nkeys=['a.pub']",
            &["names signers, whom nothing asks for"],
        ),
        (
            "[[trust]]\nscope='a.io'\nrequire='none'\n\
             [[trust]]\nscope='https://a.io'\nrequire='digest'",
            &[],
        ),
    ] {
        let remarks = remarks(&rules(config));
        let texts: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), told.len(), "{config}: {texts:?}");
        for (text, told) in texts.iter().zip(told) {
            assert!(text.contains(told), "{config}: {text}");
        }
    }
}
