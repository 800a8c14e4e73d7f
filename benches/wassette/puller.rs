//! This program as a process that pulls references and ends: the part of `wassette load` before
//! verification and compilation.

use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;
use wassette::fetch::{FetchError, FetchOptions, Fetched, Fetcher, Silent};
use wassette::reference::Reference;

/// Environment variable that turns this program into the puller. The arguments are a directory and
/// references.
pub const SWITCH: &str = "WASSETTE_BENCH_PULLER";

pub fn run() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().expect("a directory");
    let references: Vec<String> = arguments.collect();
    // The same runtime as that of the command line.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let fetcher = Fetcher::new(FetchOptions {
        net: wassette::net::Options {
            retry_base: Duration::from_millis(1),
            ..Default::default()
        },
        ..FetchOptions::default()
    });
    let directory = Path::new(&directory);
    let pulls = references.iter().enumerate().map(|(n, reference)| {
        let (fetcher, staging) = (&fetcher, directory.join(n.to_string()));
        async move { pull(fetcher, reference, &staging).await }
    });
    runtime.block_on(try_join_all(pulls)).expect("pulls");
}

async fn pull(fetcher: &Fetcher, reference: &str, staging: &Path) -> Result<Fetched, FetchError> {
    std::fs::create_dir(staging).expect("writable");
    let reference = Reference::parse(reference, Path::new("/")).expect("a reference");
    let resolved = fetcher.resolve(&reference).await?;
    fetcher.fetch(resolved, staging, &Silent).await
}
