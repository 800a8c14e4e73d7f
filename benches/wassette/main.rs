//! Measures what a user waits for, each row with a baseline of the same run.
//!
//! ```text
//! tests/components/install.sh     # once: the JavaScript and Python components
//! cargo bench                     # or: cargo bench -- start load first calls crowd fair pull push fleet store
//! ```
//!
//! A run of all draws docs/benchmarks.svg, another one target/benchmarks.svg.

mod calls;
mod chart;
mod client;
mod components;
#[path = "../../tests/support/components_files.rs"]
mod components_files;
mod crowd;
mod fair;
mod first;
mod fleet;
mod load;
mod null_server;
mod process;
mod pull;
mod puller;
mod push;
mod pusher;
mod registry;
mod report;
mod start;
mod store;
#[allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "the tests use the rest"
)]
#[path = "../../tests/support/wat.rs"]
mod wat;

fn main() {
    if std::env::var_os(null_server::SWITCH).is_some() {
        return null_server::serve();
    }
    if std::env::var_os(puller::SWITCH).is_some() {
        return puller::run();
    }
    if std::env::var_os(pusher::SWITCH).is_some() {
        return pusher::run();
    }
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let groups: [(&str, fn()); 10] = [
        ("start", start::run),
        ("load", load::run),
        ("first", first::run),
        ("calls", calls::run),
        ("crowd", crowd::run),
        ("fair", fair::run),
        ("pull", pull::run),
        ("push", push::run),
        ("fleet", fleet::run),
        ("store", store::run),
    ];
    for (name, run) in groups {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            run();
        }
    }
    report::draw(&wanted);
}
