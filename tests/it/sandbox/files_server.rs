//! No guest can reach the server's own files: reading them would reveal the secrets, and writing
//! them would allow granting anything.

use wassette::runtime::{DenialKind, Sandbox};

use crate::support::files::{DENIED, Files};

const POLICY: &str = "home/.wassette/components/a/a.policy.yaml";

/// Everything is granted, including the server's root.
fn files() -> (Files, Sandbox) {
    let files = Files::new()
        .write_all(&[
            ("home/.wassette/config.toml", "config"),
            ("home/.wassette/secrets/a.json", "secret"),
            (POLICY, "policy"),
            ("home/mine", "mine"),
            ("other/mine", "mine"),
        ])
        .served_from("home/.wassette");
    let sandbox = files.sandbox(r#"allow: [{uri: "fs://$/**", access: [read, write]}]"#);
    (files, sandbox)
}

#[tokio::test(flavor = "multi_thread")]
async fn are_neither_read_nor_written() {
    let (files, sandbox) = files();
    files
        .symlink(files.path("home/.wassette"), "link")
        .symlink("../home/.wassette/secrets/a.json", "other/secret");
    let denied = files
        .expect(
            &sandbox,
            &[
                ("read $:home/.wassette/secrets/a.json", DENIED),
                ("stat $:home/.wassette/secrets/a.json", DENIED),
                ("stat $:home/.wassette/nothing", DENIED),
                ("stat $:home/.wassette", DENIED),
                ("list $:home/.wassette", DENIED),
                ("list $:home/.wassette/secrets", DENIED),
                ("list $:home", "ok mine/"),
                ("read $:other/../home/.wassette/config.toml", DENIED),
                ("read $:$/home/.wassette/config.toml", DENIED),
                ("read $:link/config.toml", DENIED),
                ("list $:link/", DENIED),
                ("read $:other/secret", DENIED),
                ("write $:home/.wassette/config.toml mine", DENIED),
                ("write $:link/components/a/a.policy.yaml mine", DENIED),
                ("write $:home/.wassette/components/a/a.cwasm mine", DENIED),
                ("mkdir $:home/.wassette/components/b", DENIED),
                ("unlink $:home/.wassette/config.toml", DENIED),
                ("touch $:home/.wassette", DENIED),
                ("read $:home/mine", "ok mine"),
                ("write $:home/new new", "ok"),
                ("rename $:home/new $:home/newer", "ok"),
            ],
        )
        .await;
    assert!(denied.contains(&"Read $/home/.wassette/secrets/a.json".to_owned()));
    assert_eq!(files.read(POLICY), "policy");
    assert!(!files.path("home/.wassette/components/a/a.cwasm").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn are_not_moved_nor_linked() {
    let (files, sandbox) = files();
    files
        .expect(
            &sandbox,
            &[
                ("rename $:home/.wassette $:other/root", DENIED),
                ("rename $:home $:elsewhere", DENIED),
                ("rename $:home/.wassette/secrets $:other/secrets", DENIED),
                ("rename $:home/.wassette/config.toml $:other/mine", DENIED),
                ("rename $:other/mine $:home/.wassette/config.toml", DENIED),
                ("rename $:other $:home/.wassette", DENIED),
                ("rmdir $:home/.wassette", DENIED),
                ("rmdir $:home", DENIED),
                ("link $:home/.wassette/secrets/a.json $:other/key", DENIED),
                ("symlink ../home/.wassette $:other/root", DENIED),
                ("symlink .wassette/secrets $:home/s", DENIED),
                ("symlink mine $:home/s", "ok"),
                ("rename $:other $:another", "ok"),
            ],
        )
        .await;
    assert_eq!(files.read("home/.wassette/secrets/a.json"), "secret");
}

/// If a directory on the root's own path is swapped, the path leads elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_link_cannot_be_swapped() {
    let files = Files::new()
        .write_all(&[("disk/.wassette/config.toml", "config")])
        .served_from("home/.wassette");
    files.symlink("disk", "home");
    let sandbox = files.sandbox(r#"allow: [{uri: "fs://$/**", access: [read, write]}]"#);
    files
        .expect(
            &sandbox,
            &[
                ("read $:home/.wassette/config.toml", DENIED),
                ("read $:disk/.wassette/config.toml", DENIED),
                ("unlink $:home", DENIED),
                ("rename $:home $:away", DENIED),
                ("rename $:disk $:away", DENIED),
                ("mkdir $:new", "ok"),
                ("rename $:new $:home", DENIED),
                ("readlink $:home", "ok disk"),
            ],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn are_not_a_place_to_start_in() {
    let (files, _) = files();
    for uri in ["home/.wassette/**", "home/.wassette/secrets/a.json"] {
        let rule = format!(r#"allow: [{{uri: "fs://$/{uri}", access: [read]}}]"#);
        let sandbox = files.sandbox(&rule);
        let start = "home/.wassette/secrets";
        let steps = [
            format!("read $/{start}:a.json"),
            "read $/home/.wassette:secrets/a.json".to_owned(),
        ];
        let (answers, denials) = files.run(&sandbox, &steps.each_ref().map(|s| &**s)).await;
        assert!(answers.contains(&DENIED.to_owned()), "{answers:?}");
        assert!(!answers.iter().any(|answer| answer.starts_with("ok")));
        assert!(
            denials.iter().all(|denial| denial.kind == DenialKind::Read),
            "{denials:?}"
        );
    }
}
