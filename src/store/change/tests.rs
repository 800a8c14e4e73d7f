use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::digest::Digest;
use crate::policy::{EnvironmentRule, Permission, ValueSource};
use crate::store::journal::{Journal, Kind, Step};
use crate::store::{Origin, ValidationStamp};

struct Root {
    dir: TempDir,
    store: Store,
}

fn id(name: &str) -> ComponentId {
    ComponentId::parse(name).unwrap()
}

fn granting(key: &str) -> Policy {
    let mut policy = Policy::default();
    let rule = EnvironmentRule::new(key, ValueSource::Inherit).unwrap();
    policy.grant(Permission::Environment(rule));
    policy
}

impl Root {
    /// Installs `a` and `b` in their second version, and `c`; grants `a` something.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("root"));
        let root = Root { dir, store };
        for (name, code) in [
            ("a", "a1"),
            ("b", "b1"),
            ("c", "c1"),
            ("a", "a2"),
            ("b", "b2"),
        ] {
            root.store.install(root.prepared(name, code)).unwrap();
        }
        let granted = |_| Ok::<_, StoreError>(granted("KEY"));
        root.store.change_grants(&id("a"), granted).unwrap();
        root
    }

    fn prepared(&self, name: &str, code: &str) -> Prepared {
        let staging = self.store.stage().unwrap();
        let files = replace::staged(&staging, &id(name));
        fs::create_dir(&files.dir).unwrap();
        fs::write(&files.wasm, code).unwrap();
        let digest = Digest::of(code.as_bytes());
        let metadata: Metadata = serde_json::from_value(json!({
            "format": 2,
            "component_id": name,
            "created_at": jiff::Timestamp::now(),
            "source": format!("file:///{name}.wasm"),
            "identity": { "kind": "file", "size": 1, "mtime_ns": 1 },
            "digests": { "component": digest, "manifest": null },
            "trust": "digest",
            "receipt": {
                "source_host": null, "hosts_tried": [], "manifest_digest": null,
                "content_digest": digest, "bytes_downloaded": 0, "requests": 0, "retries": 0,
                "bytes_resumed": 0, "openness": "public", "fetch_ms": 0,
            },
            "validation_stamp": ValidationStamp::of(&files.wasm, digest).unwrap(),
            "component_info": { "world": "w", "exports": [], "imports": [] },
            "tools": [],
            "requested_permissions": null,
        }))
        .unwrap();
        metadata.write_both(&files).unwrap();
        Prepared {
            staging,
            metadata,
            files,
        }
    }

    /// Replaces `a` and changes its grants, grants `b` something, removes `c`, and installs `d`.
    fn changes(&self) -> Vec<Change> {
        vec![
            Change::Install {
                prepared: self.prepared("a", "a3"),
                grants: Grants::Given {
                    policy: Box::new(granting("OTHER")),
                    grantor: Origin::Manifest.into(),
                },
                rules: Rules::Kept,
            },
            Change::Settle {
                id: id("b"),
                grants: Grants::Given {
                    policy: Box::new(granting("B")),
                    grantor: Origin::Manifest.into(),
                },
                rules: Rules::Kept,
            },
            Change::Remove { id: id("c") },
            Change::Install {
                prepared: self.prepared("d", "d1"),
                grants: Grants::Kept,
                rules: Rules::Kept,
            },
        ]
    }
}

fn granted(key: &str) -> Granted {
    Granted::default().changed(granting(key), &Origin::Cli.into())
}

/// The installed code and its previous version, and the environment variables that are granted.
fn state(store: &Store) -> Vec<(String, String, String, String)> {
    let mut ids = store.ids().unwrap();
    ids.sort();
    let state = ids.into_iter().map(|id| {
        let installed = store.get(&id).unwrap().unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let policy = store.granted(&id).unwrap().policy;
        let keys = policy.environment.allow.iter().map(|rule| rule.key.clone());
        (
            id.to_string(),
            read(&installed.files.wasm),
            read(&store.layout().previous(&id).wasm),
            keys.collect::<Vec<_>>().join(","),
        )
    });
    state.collect()
}

fn expected(rows: &[[&str; 4]]) -> Vec<(String, String, String, String)> {
    let row = |[id, now, before, keys]: &[&str; 4]| {
        let own = |text: &str| text.to_owned();
        (own(id), own(now), own(before), own(keys))
    };
    rows.iter().map(row).collect()
}

fn old() -> Vec<(String, String, String, String)> {
    expected(&[
        ["a", "a2", "a1", "KEY"],
        ["b", "b2", "b1", ""],
        ["c", "c1", "", ""],
    ])
}

fn new() -> Vec<(String, String, String, String)> {
    expected(&[
        ["a", "a3", "a2", "OTHER"],
        ["b", "b2", "b1", "B"],
        ["d", "d1", "", ""],
    ])
}

/// The staging directories and the journal.
fn leftovers(store: &Store) -> Vec<PathBuf> {
    let mut found = crate::store::staging::all(store.layout()).unwrap();
    found.extend(
        store
            .layout()
            .journal()
            .exists()
            .then(|| store.layout().journal()),
    );
    found
}

#[test]
fn several_changes_are_made_together() {
    let root = Root::new();
    assert_eq!(state(&root.store), old());
    let installed = root.store.change_all(root.changes()).unwrap();
    let ids: Vec<_> = installed
        .iter()
        .map(|one| one.metadata.component_id.as_str())
        .collect();
    assert_eq!(ids, ["a", "d"]);
    assert_eq!(state(&root.store), new());
    assert!(leftovers(&root.store).is_empty());
    let record = root.store.granted(&id("a")).unwrap().record;
    let grant = record.of(&granting("OTHER").permissions()[0]).unwrap();
    assert_eq!(grant.granted_by, Origin::Manifest);
}

#[test]
fn a_failure_at_any_position_leaves_everything_as_it_was() {
    let root = Root::new();
    for position in 0..=4 {
        let fail = |nth| match nth == position {
            true => Err(io::Error::other("no room")),
            false => Ok(()),
        };
        let error = root
            .store
            .change_all_with(root.changes(), fail)
            .unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert_eq!(state(&root.store), old(), "{position}");
        assert!(leftovers(&root.store).is_empty(), "{position}");
    }
}

#[test]
fn one_that_cannot_be_changed_keeps_all_others_from_it() {
    let root = Root::new();
    let mut changes = root.changes();
    changes.push(Change::Remove { id: id("nothing") });
    let error = root.store.change_all(changes).unwrap_err();
    assert!(matches!(error, StoreError::NotInstalled { .. }), "{error}");
    assert_eq!(state(&root.store), old());
    assert!(leftovers(&root.store).is_empty());
}

/// Moves the root away in the middle of a change, so its process cannot touch it any more: this
/// leaves the same files as a kill.
#[test]
fn whoever_comes_after_a_kill_at_any_position_finds_everything_as_it_was() {
    for position in 0..=4 {
        let root = Root::new();
        let cut = root.dir.path().join("cut");
        let kill = |nth| {
            if nth < position {
                return Ok(());
            }
            fs::rename(root.store.layout().root(), &cut)?;
            Err(io::Error::other("killed"))
        };
        root.store
            .change_all_with(root.changes(), kill)
            .unwrap_err();
        let store = Store::new(&cut);
        assert!(store.layout().journal().exists());
        assert_eq!(state(&store), old(), "{position}");
        store.sweep().unwrap();
        assert_eq!(state(&store), old(), "{position}, swept");
        assert!(leftovers(&store).is_empty(), "{position}");
    }
}

/// The same on a filesystem that cannot exchange directories: they are moved one after the other.
#[test]
fn a_replaced_directory_that_was_only_moved_aside_comes_back() {
    for renamed in [false, true] {
        let root = Root::new();
        let layout = root.store.layout();
        let prepared = root.prepared("a", "a3");
        let place = layout.component(&id("a")).dir;
        let journal = Journal::new(vec![Step {
            component: id("a"),
            staging: prepared.staging.name(),
            kind: Kind::IsReplaced {
                inode: replace::inode(&place).unwrap_or_default(),
            },
        }]);
        journal.write(layout).unwrap();
        fs::rename(&place, prepared.staging.path().join(replace::ASIDE)).unwrap();
        if renamed {
            replace::appear(prepared.staging.path(), &place).unwrap();
        }
        prepared.staging.leave();
        assert_eq!(state(&root.store), old(), "{renamed}");
    }
}

#[test]
fn a_journal_that_cannot_be_read_stops_every_change() {
    let root = Root::new();
    fs::write(root.store.layout().journal(), "{").unwrap();
    let error = root.store.sweep().unwrap_err();
    assert!(error.to_string().contains("change.json"), "{error}");
    // The installed version is still served.
    assert_eq!(state(&root.store), old());
}
