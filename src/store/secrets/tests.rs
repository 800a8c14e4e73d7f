use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::error::Diagnose;

fn store() -> (TempDir, SecretStore) {
    let root = tempfile::tempdir().unwrap();
    let store = SecretStore::new(&Layout::new(root.path().join("root")));
    (root, store)
}

fn id() -> ComponentId {
    ComponentId::parse("weather").unwrap()
}

fn key(text: &str) -> SecretKey {
    text.parse().unwrap()
}

fn pair(name: &str, value: &str) -> (SecretKey, Secret) {
    (key(name), value.into())
}

fn names(store: &SecretStore) -> Vec<String> {
    let secrets = store.get(&id()).unwrap();
    secrets.keys().map(SecretKey::to_string).collect()
}

#[test]
fn secrets_are_set_replaced_and_deleted() {
    let (_root, store) = store();
    assert!(store.get(&id()).unwrap().is_empty());
    store
        .set(&id(), vec![pair("B", "1"), pair("A", "2")])
        .unwrap();
    let before = store.stamp(&id());
    store.set(&id(), vec![pair("B", "\"a\nb\"")]).unwrap();
    assert_ne!(store.stamp(&id()), before);
    let secrets = store.get(&id()).unwrap();
    assert_eq!(secrets.get("B").unwrap().expose(), "\"a\nb\"");
    assert_eq!(names(&store), ["A", "B"]);

    let error = store.delete(&id(), &[key("A"), key("C")]).unwrap_err();
    assert_eq!(error.code(), "secret-not-found");
    assert_eq!(names(&store), ["A", "B"]);
    store.delete(&id(), &[key("A"), key("B")]).unwrap();
    assert!(!store.file(&id()).exists());
}

#[test]
fn looking_makes_nothing() {
    let (root, store) = store();
    store.get(&id()).unwrap();
    store.delete(&id(), &[key("A")]).unwrap_err();
    assert!(!root.path().join("root").exists());
}

#[test]
fn what_is_out_of_bounds_changes_nothing() {
    let (_root, store) = store();
    store.set(&id(), vec![pair("A", "kept")]).unwrap();
    let large = "x".repeat(MAX_VALUE);
    let many = (0..MAX_KEYS).map(|n| pair(&format!("K{n}"), "v")).collect();
    let wide = (0..5).map(|n| pair(&format!("K{n}"), &large)).collect();
    let cases = [
        (vec![pair("B", "")], "missing-secret-value"),
        (vec![pair("B", "a\0b")], "invalid-secret-value"),
        (vec![pair("B", &format!("{large}x"))], "secret-too-large"),
        (many, "secret-too-large"),
        (wide, "secret-too-large"),
    ];
    for (secrets, code) in cases {
        assert_eq!(store.set(&id(), secrets).unwrap_err().code(), code);
        assert_eq!(names(&store), ["A"]);
    }
    store.set(&id(), vec![pair("B", &large)]).unwrap();
}

#[test]
fn names_are_those_of_variables() {
    for good in ["A", "_", "api_KEY_2", "a.b-c"] {
        assert_eq!(key(good).as_str(), good);
    }
    let long = "A".repeat(257);
    for bad in ["", "2A", "A B", "A=B", "A/B", "Ä", "A\n", &long] {
        assert!(bad.parse::<SecretKey>().is_err(), "{bad}");
    }
}

#[test]
fn two_writers_lose_no_update() {
    let (_root, store) = store();
    std::thread::scope(|threads| {
        for writer in ["A", "B", "C", "D"] {
            let store = &store;
            threads.spawn(move || {
                for n in 0..8 {
                    let secret = pair(&format!("{writer}{n}"), "value");
                    store.set(&id(), vec![secret]).unwrap();
                }
            });
        }
    });
    assert_eq!(names(&store).len(), 32);
}

#[test]
fn errors_tell_nothing_of_the_values() {
    let (_root, store) = store();
    store.set(&id(), vec![pair("A", "hunter2-secret")]).unwrap();
    let file = store.file(&id());
    let text = fs::read_to_string(&file).unwrap();
    for damaged in [
        text.replace("\"A\": \"", "\"A\": [\""),
        text.replace("\"format\": 1", "\"format\": 2"),
        text.replace("\"A\"", "\"not a name\""),
        text.replace(
            "\"A\": \"hunter2-secret\"",
            "\"A\": {\"hunter2-secret\": 1}",
        ),
    ] {
        overwrite(&file, &damaged);
        let error = store.get(&id()).unwrap_err();
        assert_eq!(error.code(), "secrets-damaged");
        let report = crate::error::Report::new(&error);
        assert!(
            !format!("{error:?} {report}").contains("hunter2"),
            "{report}"
        );
        // A failed change loses nothing either.
        store.set(&id(), vec![pair("B", "x")]).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), damaged);
    }
}

/// Keeps the file's mode.
fn overwrite(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
}

#[cfg(unix)]
mod owners_alone {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_the_owner_can_read_what_is_written() {
        let (_root, store) = store();
        store.set(&id(), vec![pair("A", "v")]).unwrap();
        assert_eq!(mode(&store.dir), 0o700);
        assert_eq!(mode(&store.file(&id())), 0o600);
    }

    #[test]
    fn what_others_could_touch_is_refused() {
        let (_root, store) = store();
        store.set(&id(), vec![pair("A", "v")]).unwrap();
        let file = store.file(&id());
        for wide in [0o640, 0o604, 0o620, 0o602] {
            chmod(&file, wide);
            assert_eq!(store.get(&id()).unwrap_err().code(), "secrets-exposed");
            let set = store.set(&id(), vec![pair("B", "v")]);
            assert_eq!(set.unwrap_err().code(), "secrets-exposed");
        }
        chmod(&file, 0o600);
        store.get(&id()).unwrap();
        chmod(&store.dir, 0o770);
        assert_eq!(store.get(&id()).unwrap_err().code(), "secrets-exposed");
    }

    #[test]
    fn links_are_not_followed() {
        let (root, store) = store();
        store.set(&id(), vec![pair("A", "v")]).unwrap();
        let file = store.file(&id());
        let elsewhere = root.path().join("elsewhere");
        fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert_eq!(store.get(&id()).unwrap_err().code(), "secrets-exposed");
    }

    #[test]
    fn what_a_killed_writer_left_is_no_obstacle() {
        let (_root, store) = store();
        store.set(&id(), vec![pair("A", "v")]).unwrap();
        fs::write(store.dir.join(".next"), "half").unwrap();
        store.set(&id(), vec![pair("B", "v")]).unwrap();
        assert_eq!(names(&store), ["A", "B"]);
        assert!(!store.dir.join(".next").exists());
    }
}
