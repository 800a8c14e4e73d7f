use super::*;

#[test]
fn an_error_does_not_repeat_what_a_variable_holds() {
    let error = refused("components:\n- uri: oci://ghcr.io/x:1\n  name: ${TOKEN}/\n");
    assert!(
        error.contains("${TOKEN}") && !error.contains("s3cret"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_caret() {
    let error = refused("components:\n  - uri: a.wasm\n    digets: sha256:1\n");
    assert_eq!(
        error,
        "fleet.yaml:3:5: unknown key `digets`; did you mean `digest`? (`components[0]`)\n  \
         3 |     digets: sha256:1\n    |     ^"
    );
}

#[test]
fn bad_manifests_are_refused() {
    let bomb = "a: &a [x]\nb: &b [*a, *a]\ncomponents: *b\n";
    for (text, told) in [
        ("", "a mapping is expected here, not nothing"),
        ("components:\n", "a list is expected here, not nothing"),
        ("version: 1\n", "the key `components` is missing"),
        ("version: 2\ncomponents: []\n", "the only version is `1`"),
        ("componnets: []\n", "did you mean `components`?"),
        ("components: [{}]\n", "the key `uri` is missing"),
        ("components: [{uri: ''}]\n", "it is empty"),
        ("components: [{uri: 'ftp://a/b'}]\n", "scheme is not known"),
        ("components: [{uri: no-such-name}]\n", "no-such-name"),
        (
            "components: [{uri: a.wasm, name: A_B}]\n",
            "is not a component id",
        ),
        (
            "components: [{uri: a.wasm, digest: 'sha256:12'}]\n",
            "is not a digest",
        ),
        (
            "components: [{uri: a.wasm, tools: {dney: []}}]\n",
            "did you mean `deny`?",
        ),
        (
            "components: [{uri: a.wasm, tools: {hide: [x]}}]\n",
            "stand under `deny`",
        ),
        (
            "components: [{uri: a.wasm, tools: {allow: x}}]\n",
            "a list is expected here",
        ),
        (
            "components: [{uri: a.wasm, tools: {rename: {x: a b}}}]\n",
            "letters, digits, `-` and `_`",
        ),
        (
            "components: [{uri: a.wasm, tools: {rename: {x: ''}}}]\n",
            "letters, digits, `-` and `_`",
        ),
        (
            "components: [{uri: a.wasm, tools: {fixed: {x: [1]}}}]\n",
            "a mapping is expected here",
        ),
        (
            "components: [{uri: a.wasm, permissions: {netwrok: {}}}]\n",
            "did you mean `network`?",
        ),
        (
            "components: [{uri: a.wasm, permissions: {network: {allow: [{host: 'a b'}]}}}]\n",
            "is not a host",
        ),
        (
            "components: [{uri: a.wasm, retry: {max: 101}}]\n",
            "a whole number up to 100",
        ),
        (
            "components: [{uri: a.wasm, retry: {max: -1}}]\n",
            "a whole number up to 100",
        ),
        (
            "components: [{uri: a.wasm, retry: {delay: 2h}}]\n",
            "an hour at most",
        ),
        (
            "components: [{uri: a.wasm, retry: {delay: soon}}]\n",
            "soon",
        ),
        (
            "components: [{uri: a.wasm}, {uri: x/a.wasm}]\n",
            "two entries have the name `a`",
        ),
        (
            "components: [{uri: '${UNSET}'}]\n",
            "the variable `UNSET` is not set",
        ),
        ("${HOST}: 1\ncomponents: []\n", "unknown key `${HOST}`"),
        ("components: []\ncomponents: []\n", "duplicate mapping key"),
        (bomb, "budget breached"),
        (
            "x: &x {uri: a.wasm}\ncomponents: [{<<: *x}]\n",
            "this is not YAML as it is read here",
        ),
        ("components:\n\t- uri: a.wasm\n", "tabs"),
        ("components: [1\n", "unclosed bracket"),
        ("components: []\n---\ncomponents: []\n", "budget breached"),
        ("<html>", "a mapping is expected here"),
    ] {
        let error = refused(text);
        assert!(error.contains(told), "{text}\n{error}");
        assert!(error.starts_with("fleet.yaml:"), "{error}");
    }
}

#[test]
fn a_confidential_value_is_not_part_of_an_excerpt() {
    let error = refused(
        "components:\n- uri: a.wasm\n  permissions: {environment: {allow: [{key: A, value: hunter2, x: 1}]}}\n",
    );
    assert!(
        error.contains("unknown key `x`") && !error.contains("hunter2"),
        "{error}"
    );
}
