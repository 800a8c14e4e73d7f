//! `--offline`: nothing touches the network.

use serde_json::Value;

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, Ended};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_works_and_the_rest_says_so_at_once() {
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    let honest = Honest::new(&artifact);
    let server = Faults::start(move |seen| honest.answer(seen)).await;
    let tagged = server.reference("answer:v1");
    let pinned = server.reference(&format!("answer@{}", artifact.digest()));
    let web = server.url("/tool.wasm");
    let cli = Cli::new();
    let local = cli.file("local.wasm", binary(ANSWER));
    let local = local.display().to_string();

    // The command line waits, and the server runs on another thread.
    tokio::task::block_in_place(|| {
        cli.json(["load", "--uri", &tagged]);
    });
    let before = server.seen().len();
    tokio::task::block_in_place(|| {
        for known in [&tagged, &pinned] {
            let again = cli.json(["--offline", "load", "--uri", known]);
            assert_eq!(again["status"], "already-loaded", "{known}");
            assert_eq!(again["receipt"]["requests"], 0, "{known}");
        }
        let called = cli.json(["call", "answer", "--args", "{}", "--offline"]);
        assert_eq!(called["result"], 42);
        cli.json(["--offline", "load", "--uri", &local]);

        let other = server.reference("answer:v2");
        let unknown = server.reference(&format!("other@{}", artifact.digest()));
        for absent in [&other, &unknown, &web] {
            let mut command = cli.command();
            command.args(["load", "--uri", absent, "-o", "json"]);
            let ended: Ended = command
                .env("WASSETTE_OFFLINE", "1")
                .output()
                .unwrap()
                .into();
            assert_eq!(ended.code, 4, "{}", ended.stderr);
            assert!(ended.stderr.contains("\"offline\""), "{}", ended.stderr);
        }
        let login = ["login", "ghcr.io", "--username", "u", "--password", "p"];
        for command in [&["update", "answer"][..], &login] {
            let args = [&["--offline", "-o", "json"], command].concat();
            let ended = cli.run(args);
            assert_eq!(ended.code, 4, "{}", ended.stderr);
            assert!(ended.stderr.contains("\"offline\""), "{}", ended.stderr);
            assert!(ended.stderr.contains("leave out"), "{}", ended.stderr);
        }
        // Sources on this machine are still checked.
        let ended = cli.run(["--offline", "outdated", "-o", "json"]);
        assert_eq!(ended.code, 4, "{}", ended.stderr);
        let listing: Value = serde_json::from_str(&ended.stdout).unwrap();
        let code = |n: usize| &listing["components"][n]["error"]["code"];
        assert_eq!(code(0), "offline", "{listing}");
        assert_eq!(listing["components"][1]["status"], "current", "{listing}");
    });
    assert_eq!(server.seen().len(), before, "the network was touched");
}
