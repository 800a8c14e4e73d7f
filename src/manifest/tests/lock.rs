use super::*;
use crate::digest::Digest;

fn lock_of(text: &str) -> Lock {
    let source = "oci://registry.example/acme/weather:1.2.3".parse().unwrap();
    let content = crate::manifest::lock::Content {
        source: &source,
        digest: Digest::of(b"1"),
        signer: None,
        imports: &["wasi:io/streams@0.2.0".to_owned()],
        tools: Vec::new(),
    };
    let manifest = loaded(text);
    Lock::new(
        manifest
            .entries
            .iter()
            .map(|entry| Locked::new(entry, &content))
            .collect(),
    )
}

#[test]
fn a_lock_says_which_artifact_a_package_was() {
    let lock = lock_of("components:\n  - uri: acme:weather@^1.2\n");
    let text = lock.to_text();
    assert!(text.contains("uri = \"acme:weather@^1.2\""), "{text}");
    let artifact = "artifact = \"oci://registry.example/acme/weather:1.2.3\"";
    assert!(text.contains(artifact), "{text}");
    assert_eq!(Lock::parse("wassette.lock", &text).unwrap(), lock);
    let odd = text.replace("oci://registry.example/acme", "oci:// /");
    assert!(Lock::parse("wassette.lock", &odd).is_err());
    // Other references stand for themselves.
    assert!(!lock_of(SEED).to_text().contains("artifact"));
}

#[test]
fn a_lock_is_read_as_it_was_written() {
    let lock = lock_of(SEED);
    let text = lock.to_text();
    assert!(text.starts_with("# What the manifest"), "{text}");
    assert_eq!(Lock::parse("wassette.lock", &text).unwrap(), lock);
    assert_eq!(
        Lock::parse("wassette.lock", &text.replace('\n', "\r\n")).unwrap(),
        lock
    );
}

#[test]
fn a_lock_that_is_not_whole_is_refused() {
    let text = lock_of(SEED).to_text();
    let cut: String = text.lines().take(8).collect::<Vec<_>>().join("\n");
    let parts: Vec<&str> = text.split("[[component]]").collect();
    let twice = format!("{text}\n[[component]]{}", parts[1]);
    for bad in [
        "",
        "{}",
        &cut,
        &twice,
        &text.replace("version = 1", "version = 2"),
        &text.replace("sha256:", "sha256:0"),
        &text.replace("uri = ", "url = "),
        &text[..text.len() - 30],
    ] {
        let error = Lock::parse("wassette.lock", bad).unwrap_err();
        assert_eq!(error.code(), "invalid-lock", "{bad}");
    }
}

#[test]
fn a_lock_is_held_against_what_the_manifest_says() {
    let lock = lock_of(SEED);
    assert!(lock.compare(&loaded(SEED).entries).is_exact());
    let changed = loaded(&SEED.replace("api.github.com", "other.example.com"));
    let standing = lock.compare(&changed.entries);
    assert_eq!(
        standing.changed,
        [ComponentId::parse("github-api").unwrap()]
    );
    assert!(standing.missing.is_empty() && standing.surplus.is_empty());
    let other = loaded("components: [{uri: a.wasm}]\n");
    assert!(lock.compare(&other.entries).is_of_another());
    assert!(!lock.compare(&[]).is_of_another());
}
