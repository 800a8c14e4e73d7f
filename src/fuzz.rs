//! The fuzz targets of `fuzz/`, and tests that run them on the kept corpus. Compiled only for
//! tests and fuzzing.
//!
//! Each target accepts any bytes. It panics if the code under test panics or violates one of the
//! properties asserted here.

use std::path::Path;

use crate::manifest::{Files, Lock, Manifest, Variables};
use crate::net::Authority;
use crate::policy::{CidrRule, HostPattern, Policy, requested_permissions};
use crate::reference::Reference;

pub use crate::http::fuzz::host_header;
pub use crate::registry::fuzz::{challenge, oci_manifest};
pub use crate::schema::fuzz::description;
pub use crate::schema::value::fuzz::arguments;

/// Checks that a reference does not change when it is printed and parsed again.
pub fn reference(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Ok(reference) = Reference::parse(text, Path::new("/work")) else {
        return;
    };
    let written = reference.to_string();
    assert_eq!(written.parse().ok(), Some(reference.clone()), "{written}");
    let _ = (
        reference.shown(),
        reference.default_id(),
        reference.is_pinned(),
    );
}

/// Reads a manifest, as a local file and as a download, and a lock, and checks that the lock does
/// not change when it is written and read again.
pub fn manifest(data: &[u8]) {
    struct NoFiles;

    impl Files for NoFiles {
        fn read(&self, _: &Path) -> std::io::Result<(std::path::PathBuf, String)> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let variables = Variables::new(&|name| (name == "HOST").then(|| "example.com".to_owned()));
    let path = Path::new("/fleet.yaml");
    let _ = crate::manifest::load("fleet.yaml", text, path, &NoFiles, &variables);
    let _ = Manifest::from_web("fleet.yaml", text);
    if let Ok(lock) = Lock::parse("wassette.lock", text) {
        let written = lock.to_text();
        let again = Lock::parse("wassette.lock", &written).expect("what was written is read");
        assert_eq!(again.to_text(), written);
    }
}

/// Checks that a policy does not change when it is written and read again.
pub fn policy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let _ = requested_permissions(text);
    if let Ok(policy) = Policy::parse(text) {
        let written = policy.to_yaml();
        assert_eq!(Policy::parse(&written).ok(), Some(policy), "{written}");
    }
}

/// Reads hosts, origins and networks, and checks that a rule covers itself and does not change
/// when it is written and read again.
pub fn hosts(data: &[u8]) {
    host_header(data);
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(pattern) = text.parse::<HostPattern>() {
        let written = pattern.to_string();
        assert!(pattern.hosts.covers(&pattern.hosts), "{written}");
        assert_eq!(written.parse().ok(), Some(pattern), "{written}");
    }
    if let Ok(rule) = text.parse::<CidrRule>() {
        let written = rule.to_string();
        assert!(rule.covers(&rule), "{written}");
        assert_eq!(written.parse().ok(), Some(rule), "{written}");
        let _ = rule.network.special_parts();
    }
    if let Ok(authority) = Authority::try_from(text.to_owned()) {
        let again = Authority::try_from(authority.as_str().to_owned());
        assert_eq!(again.as_ref(), Ok(&authority));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Runs a target on every file of its corpus. If it panics, the last printed file is the cause.
    fn replay(name: &str, target: fn(&[u8])) {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let corpus = fs::read_dir(fuzz.join("corpus").join(name)).expect("the target's corpus");
        let mut count = 0;
        for file in corpus {
            let file = file.expect("a readable directory").path();
            println!("{}", file.display());
            target(&fs::read(&file).expect("a readable file"));
            count += 1;
        }
        assert!(count > 0, "the corpus of `{name}` is empty");
        // The fuzzer runs the same function.
        let code = fs::read_to_string(fuzz.join(format!("targets/{name}.rs")));
        assert!(
            code.expect("a target")
                .contains(&format!("wassette::fuzz::{name}("))
        );
    }

    #[test]
    fn references() {
        replay("reference", reference);
    }

    #[test]
    fn manifests() {
        replay("manifest", manifest);
    }

    #[test]
    fn policies() {
        replay("policy", policy);
    }

    #[test]
    fn hosts_and_networks() {
        replay("hosts", hosts);
    }

    #[test]
    fn oci_manifests() {
        replay("oci_manifest", oci_manifest);
    }

    #[test]
    fn challenges() {
        replay("challenge", challenge);
    }

    #[test]
    fn arguments_of_calls() {
        replay("arguments", arguments);
    }

    #[test]
    fn descriptions() {
        replay("description", description);
    }

    #[test]
    fn every_corpus_is_run() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let code = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file!()));
        let code = code.expect("this file");
        for corpus in fs::read_dir(fuzz.join("corpus")).expect("the corpus") {
            let name = corpus.expect("a readable directory").file_name();
            let run = format!("replay(\"{}\",", name.to_string_lossy());
            assert!(code.contains(&run), "no test runs {name:?}");
        }
    }
}
