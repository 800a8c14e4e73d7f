//! How commands show the source of a component.

use tokio::task::block_in_place;

use crate::support::cli::Cli;
use crate::support::components::{ANSWER, binary};
use crate::support::faults::Faults;

/// The address of a file that only its query gives access to.
async fn signed() -> (Faults, String) {
    let wasm = binary(ANSWER);
    let server = Faults::start(move |_| axum::response::IntoResponse::into_response(wasm.clone()));
    let server = server.await;
    let url = server.url("/tool.wasm?X-Signature=s3cret");
    (server, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_an_address_is_kept_and_not_shown() {
    let (server, url) = signed().await;
    let cli = Cli::new();
    block_in_place(|| {
        cli.json(["load", "--uri", &url]);
        let shown = server.url("/tool.wasm?…");
        for args in [
            &["list"][..],
            &["list", "-o", "json"],
            &["inspect", "tool"],
            &["inspect", "tool", "-o", "yaml"],
            &["inspect", &url],
        ] {
            let ended = cli.run(args);
            assert_eq!(ended.code, 0, "{}", ended.stderr);
            assert!(!ended.stdout.contains("s3cret"), "{args:?}");
            assert!(ended.stdout.contains(&shown), "{args:?}: {}", ended.stdout);
        }
        let other = server.url("/tool.wasm?version=2");
        let taken = cli.failure(["load", "--uri", &other]);
        assert!(
            taken.contains(&shown) && !taken.contains("s3cret"),
            "{taken}"
        );
        let user = ["load", "--uri", &url, "--username", "u", "--password", "p"];
        let refused = cli.failure(user);
        assert!(
            refused.contains(&shown) && !refused.contains("s3cret"),
            "{refused}"
        );
        // The full address is still known.
        assert_eq!(cli.json(["load", "--uri", &url])["component_id"], "tool");
    });
}

#[test]
fn what_is_installed_is_inspected_without_credentials() {
    let cli = Cli::new();
    cli.load(&cli.file("tool.wasm", binary(ANSWER)));
    for (option, value) in [("--username", "alice"), ("--ca", "ca.pem")] {
        let said = cli.failure(["inspect", "tool", option, value]);
        assert!(said.starts_with("exit code 2\n"), "{said}");
        assert!(said.contains(option) && said.contains("`tool`"), "{said}");
    }
    cli.json(["inspect", "tool"]);
}
