use super::*;

#[test]
fn included_files_belong_to_the_manifest() {
    let files = [
        ("/fleet/teams/a.yaml", "components: [{uri: a.wasm}]\n"),
        (
            "/fleet/b.yaml",
            "components: [{uri: b.wasm}]\ninclude: [teams/a.yaml]\n",
        ),
    ];
    let manifest = load_with(&files, "include: [b.yaml]\n").unwrap();
    let from: Vec<_> = manifest
        .entries
        .iter()
        .map(|one| one.reference.to_string())
        .collect();
    assert_eq!(from, ["file:///fleet/b.wasm", "file:///fleet/teams/a.wasm"]);
    assert!(
        manifest.entries[1]
            .written
            .place
            .ends_with("teams/a.yaml:1")
    );
}

#[test]
fn includes_neither_loop_nor_leave_the_directory() {
    let files = [
        ("/fleet/a.yaml", "include: [b.yaml]\n"),
        ("/fleet/b.yaml", "include: [a.yaml]\n"),
        ("/fleet/c.yaml", "components: []\n"),
        ("/fleet/own.yaml", "include: [fleet.yaml]\n"),
        ("/fleet/fleet.yaml", ""),
        ("/etc/m.yaml", "components: []\n"),
    ];
    for (text, told) in [
        (
            "include: [a.yaml]\n",
            "files include each other: /fleet/fleet.yaml → /fleet/a.yaml → /fleet/b.yaml → /fleet/a.yaml",
        ),
        ("include: [own.yaml]\n", "files include each other"),
        ("include: [c.yaml, c.yaml]\n", "is included twice"),
        (
            "include: [/etc/m.yaml]\n",
            "is outside of the manifest's directory `/fleet`",
        ),
        ("include: [none.yaml]\n", "cannot be read"),
        ("include: ['']\n", "a path is expected here"),
        ("include: c.yaml\n", "a list is expected here"),
    ] {
        let error = load_with(&files, text).unwrap_err().to_string();
        assert!(error.contains(told), "{text}\n{error}");
    }
    let web = Manifest::from_web("https://a.example/m", "include: [c.yaml]\n").unwrap_err();
    assert!(
        web.to_string().contains("from the web includes nothing"),
        "{web}"
    );
}

#[test]
fn a_manifest_from_the_web_names_no_files_of_this_machine() {
    for uri in ["./a.wasm", "/a.wasm", "file:///a.wasm", "oci-layout:///a"] {
        let text = format!("components: [{{uri: '{uri}', name: a}}]\n");
        Manifest::from_web("https://a.example/m", &text).unwrap_err();
    }
    let text = "components: [{uri: 'oci://a.example/x:1'}]\n";
    assert_eq!(
        Manifest::from_web("https://a.example/m", text)
            .unwrap()
            .entries
            .len(),
        1
    );
}
