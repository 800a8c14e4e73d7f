//! A manifest of many components.

use std::fmt::Write;

use super::{Fleet, actions, code, state};

const MANY: u32 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_components_are_installed_together_and_stay() {
    let fleet = Fleet::new();
    let mut manifest = "components:\n".to_owned();
    for nth in 0..MANY {
        fleet.push(&format!("c{nth}"), "v1", &code(nth)).await;
        writeln!(
            manifest,
            "- {{uri: 'oci://R/c{nth}:v1', permissions: {{}}}}"
        )
        .unwrap();
    }
    // With a missing component in the middle, nothing is installed.
    let broken = manifest.replace("/c50:v1", "/absent:v1");
    fleet.manifest(&broken);
    let error = fleet.refused(&[]);
    assert_eq!(error["code"], "not-found", "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("`absent`"),
        "{error}"
    );
    assert!(!state(&fleet.cli).contains("uri"));

    fleet.manifest(&manifest);
    let told = fleet.apply(&[]);
    let installed = actions(&told);
    assert_eq!(installed.len(), MANY as usize);
    assert!(installed.iter().all(|(_, action)| action == "install"));
    assert_eq!(fleet.lock().matches("[[component]]").count(), MANY as usize);
    let last = fleet.json(&["call", "c99_version"]);
    assert_eq!(last["result"], MANY - 1);
    let Fleet { cli, registry } = fleet;
    drop(registry);
    let again = cli.json(["apply", "-f", "fleet.yaml", "--locked"]);
    assert_eq!(again["status"], "unchanged");
    assert!(cli.is_tidy());
}
