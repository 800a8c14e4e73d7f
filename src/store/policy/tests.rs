use std::fs;
use std::path::Path;

use super::*;
use crate::policy::Permission;
use crate::policy::{EnvironmentRule, ValueSource};
use crate::store::FileStamp;

struct Place {
    _root: tempfile::TempDir,
    store: Store,
    files: ComponentFiles,
    id: ComponentId,
}

/// A component directory as an installation leaves it, with the files that matter for grants.
fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let store = Store::new(root.path());
    let id = ComponentId::parse("tool").unwrap();
    let files = store.layout.component(&id);
    fs::create_dir_all(&files.dir).unwrap();
    fs::write(&files.wasm, "code").unwrap();
    Place {
        _root: root,
        store,
        files,
        id,
    }
}

fn variable(key: &str) -> Permission {
    Permission::Environment(EnvironmentRule::new(key, ValueSource::Inherit).unwrap())
}

impl Place {
    fn grant(&self, key: &str) -> Result<Granted, StoreError> {
        self.grant_during(key, || {})
    }

    /// Calls `meanwhile` between reading and writing.
    fn grant_during(&self, key: &str, meanwhile: impl FnOnce()) -> Result<Granted, StoreError> {
        self.store.change_grants(&self.id, |standing| {
            let granted = standing.granted?;
            let mut policy = granted.policy.clone();
            policy.grant(variable(key));
            meanwhile();
            Ok(granted.changed(policy, &Origin::Cli.into()))
        })
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.files.dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn read_text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn grants_are_kept_with_who_gave_them() {
    let place = place();
    assert_eq!(place.store.granted(&place.id).unwrap(), Granted::default());
    place.grant("A").unwrap();
    let stamp = FileStamp::of(&place.files.policy);
    let granted = place.grant("B").unwrap();
    assert_ne!(FileStamp::of(&place.files.policy), stamp);
    assert_eq!(place.store.granted(&place.id).unwrap(), granted);
    let record = granted.record.of(&variable("A")).unwrap();
    assert_eq!(record.granted_by, Origin::Cli);
    assert!(granted.record.of(&variable("C")).is_none());
    assert_eq!(
        place.names(),
        ["tool.policy.meta.json", "tool.policy.yaml", "tool.wasm"]
    );
}

#[test]
fn what_is_granted_already_is_not_written_again() {
    let place = place();
    place.grant("A").unwrap();
    let stamp = FileStamp::of(&place.files.policy);
    place.grant("A").unwrap();
    assert_eq!(FileStamp::of(&place.files.policy), stamp);
}

#[test]
fn grants_of_nothing_leave_no_files() {
    let place = place();
    place.grant("A").unwrap();
    let nothing = |standing: Standing| -> Result<Granted, StoreError> {
        Ok(standing
            .granted?
            .changed(Policy::default(), &Origin::Cli.into()))
    };
    place.store.change_grants(&place.id, nothing).unwrap();
    assert_eq!(place.names(), ["tool.wasm"]);
}

#[test]
fn code_that_a_compiler_keeps_meanwhile_is_not_lost() {
    let place = place();
    let keep = |text: &str| {
        let compiled = place.files.dir.join("../compiled");
        fs::write(&compiled, text).unwrap();
        fs::rename(&compiled, &place.files.cwasm).unwrap();
    };
    keep("old");
    place.grant_during("A", || keep("new")).unwrap();
    assert_eq!(read_text(&place.files.cwasm), "new");

    // At the last moment: into the directory that was just replaced.
    let late = place.store.stage().unwrap();
    let staged = ComponentFiles::within(late.path().join("component"), &place.id);
    let granted = place.store.granted(&place.id).unwrap();
    fs::remove_file(&place.files.cwasm).unwrap();
    place::place_with(&granted, &place.files, &staged, || keep("late")).unwrap();
    assert_eq!(read_text(&place.files.cwasm), "late");
}

#[test]
fn half_written_files_and_strange_entries_are_left_alone() {
    let place = place();
    fs::write(place.files.dir.join(".tmp123"), "half").unwrap();
    place.grant("A").unwrap();
    assert!(!place.names().contains(&".tmp123".to_owned()));

    fs::create_dir(place.files.dir.join("notes")).unwrap();
    let granted = place.grant("B").unwrap();
    assert_eq!(place.store.granted(&place.id).unwrap(), granted);
    assert!(place.names().contains(&"notes".to_owned()));
}

#[test]
fn a_damaged_policy_grants_nothing_and_is_not_added_to() {
    let place = place();
    place.grant("A").unwrap();
    for damage in [
        "",
        "version: \"1.0\"\npermissions: {network: {alow: []}}",
        "\u{0}",
    ] {
        fs::write(&place.files.policy, damage).unwrap();
        let error = place.store.granted(&place.id).unwrap_err();
        assert!(matches!(error, StoreError::Policy { .. }), "{error}");
        place.grant("B").unwrap_err();
        assert_eq!(read_text(&place.files.policy), damage);
    }
    fs::write(&place.files.policy, [0xff, 0xfe]).unwrap();
    place.store.granted(&place.id).unwrap_err();
}

#[test]
fn a_damaged_record_grants_and_takes_nothing() {
    let place = place();
    let granted = place.grant("A").unwrap();
    fs::write(&place.files.policy_record, "{").unwrap();
    let read = place.store.granted(&place.id).unwrap();
    assert_eq!(read.policy, granted.policy);
    assert!(read.record.of(&variable("A")).is_none());
}

#[cfg(unix)]
#[test]
fn policies_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    place.grant("A").unwrap();
    for path in [&place.files.policy, &place.files.policy_record] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}
