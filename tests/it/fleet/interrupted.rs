//! An `apply` that is killed, and several at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{code, pairs, state};
use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::faults::{Faults, Honest};
use crate::support::wait::{until, within};

const TWO: &str =
    "components:\n- {uri: ./a.wasm, permissions: {}}\n- {uri: 'oci://R/b:v1', permissions: {}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_killed_in_a_download_leaves_what_was_there() {
    let honest = Honest::new(&Artifact::new(&[(WASM, &binary(&code(2)))]));
    let (hangs, asked) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(false)),
    );
    let (hang, note) = (hangs.clone(), asked.clone());
    let server = Faults::start_async(move |seen| {
        let (honest, hang, note) = (honest.clone(), hang.clone(), note.clone());
        async move {
            if seen.target.contains("/blobs/") && hang.load(Ordering::SeqCst) {
                note.store(true, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            honest.answer(&seen)
        }
    })
    .await;
    let cli = Arc::new(Cli::new());
    cli.file("a.wasm", binary(&code(1)));
    let setup = cli.clone();
    let before = tokio::task::spawn_blocking(move || {
        setup.load(&setup.file_path("a.wasm"));
        state(&setup)
    });
    let before = before.await.unwrap();
    cli.file("a.wasm", binary(&code(3)));
    cli.file("fleet.yaml", TWO.replace("oci://R/", &server.reference("")));
    let mut child = cli
        .command()
        .args(["apply", "-f", "fleet.yaml"])
        .spawn()
        .unwrap();
    until("the download begins", || asked.load(Ordering::SeqCst)).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let rest = tokio::task::spawn_blocking(move || {
        assert_eq!(state(&cli), before);
        hangs.store(false, Ordering::SeqCst);
        let told = cli.json(["apply", "-f", "fleet.yaml"]);
        assert_eq!(
            super::actions(&told),
            pairs(&[("a", "replace"), ("b", "install")])
        );
        assert!(cli.leftovers().is_empty(), "{:?}", cli.leftovers());
    });
    within("the second apply", rest).await.unwrap();
}

#[test]
fn of_two_applies_at_once_one_finds_nothing_to_do() {
    let cli = Arc::new(Cli::new());
    let mut manifest = "components:\n".to_owned();
    for nth in 0..6 {
        cli.file(&format!("c{nth}.wasm"), binary(&code(nth)));
        manifest.push_str(&format!("- {{uri: ./c{nth}.wasm, permissions: {{}}}}\n"));
    }
    cli.file("fleet.yaml", &manifest);
    let applies = [0, 1].map(|_| {
        let cli = cli.clone();
        std::thread::spawn(move || cli.json(["apply", "-f", "fleet.yaml"])["status"].clone())
    });
    let mut statuses = applies.map(|apply| apply.join().unwrap().as_str().unwrap().to_owned());
    statuses.sort();
    assert_eq!(statuses, ["applied", "unchanged"]);
    assert!(cli.is_tidy());
    assert_eq!(
        cli.json(["list"])["components"].as_array().unwrap().len(),
        6
    );
}
