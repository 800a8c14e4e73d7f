//! Another process swaps files and directories for links while a component uses them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wassette::runtime::Sandbox;

use super::files_escape::files;
use crate::support::files::Files;

/// Swaps the entry of a name while the steps run.
async fn while_swapping(
    files: &Files,
    sandbox: &Sandbox,
    steps: &[&str],
    name: &str,
    others: [&str; 2],
) -> Vec<String> {
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let stop = Arc::clone(&stop);
        let [one, other] = others.map(|path| files.path(path));
        let name = files.path(name);
        std::thread::spawn(move || {
            let mut swaps = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                for path in [&one, &other] {
                    swap(path, &name);
                    swaps += 1;
                }
            }
            swaps
        })
    };
    let (answers, _) = files.run(sandbox, steps).await;
    stop.store(true, Ordering::Relaxed);
    assert!(swapping.join().unwrap() > 1000);
    answers
}

/// Exchanges `path` and `name` in one step; the next call exchanges them back.
#[cfg(target_os = "linux")]
fn swap(path: &Path, name: &Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, path, CWD, name, RenameFlags::EXCHANGE).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn swap(path: &Path, name: &Path) {
    let aside = name.with_extension("aside");
    std::fs::rename(name, &aside).unwrap();
    std::fs::rename(path, name).unwrap();
    std::fs::rename(&aside, path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_swapped_for_a_link_is_never_followed() {
    let (files, sandbox) = files();
    files
        .write("w/name", "public")
        .symlink("../secret/key", "w/other");
    let steps = ["race 20000 $/w:name", "write-race 2000 $/w:name"];
    let answers = while_swapping(&files, &sandbox, &steps, "w/name", ["w/other", "w/other"]).await;
    assert!(answers[0].contains("secret=0 "), "{answers:?}");
    assert!(!answers[0].contains("public=0 "), "{answers:?}");
    assert_eq!(files.read("secret/key"), "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_swapped_for_a_link_is_never_followed() {
    let (files, sandbox) = files();
    files
        .write("w/a/b/key", "public")
        .directory("w/store")
        .symlink("../../secret", "w/a/link");
    let steps = [
        "race 20000 $/w:a/b/key",
        "write-race 1000 $/w:a/b/new",
        "hold a $/w:a",
        "race 2000 @a:b/key",
        "race 2000 @a:../a/b/key",
    ];
    let answers = while_swapping(&files, &sandbox, &steps, "w/a/b", ["w/a/link", "w/a/link"]).await;
    for at in [0, 3, 4] {
        assert!(answers[at].contains("secret=0 "), "{answers:?}");
        assert!(!answers[at].contains("public=0 "), "{answers:?}");
    }
    assert_eq!(crate::support::files(&files.path("secret")), ["key"]);
    assert_eq!(files.read("secret/key"), "secret");
}
