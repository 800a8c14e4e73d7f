//! The time from the start to a complete `tools/list`.

use std::process::Command;

use crate::client::Client;
use crate::components::{install, three_megabytes, write};
use crate::report::{median_ms, row, title};

pub fn run() {
    title("start to a complete tools/list (components of over 3 MB)");
    let null = median_ms(20, || {
        Client::null().list_tools();
    });
    row("a process of fixed answers", null, "ms", None);
    let root = tempfile::tempdir().expect("a directory");
    let files = tempfile::tempdir().expect("a directory");
    let mut installed = 0;
    for wanted in [0, 10, 50, 100] {
        while installed < wanted {
            let name = format!("c{installed:03}");
            let file = write(files.path(), &name, &three_megabytes(installed));
            install(root.path(), &file);
            installed += 1;
        }
        let time = median_ms(20, || {
            let listed = Client::wassette(root.path()).list_tools();
            assert!(listed >= wanted, "{listed}");
        });
        let name = format!("{wanted} installed");
        row(&name, time, "ms", Some((null, "fixed answers")));
    }
    let list = median_ms(10, || {
        let mut list = Command::new(env!("CARGO_BIN_EXE_wassette"));
        let list = list.arg("list").arg("--root").arg(root.path());
        assert!(list.output().expect("wassette runs").status.success());
    });
    row(
        "`wassette list` with 100",
        list,
        "ms",
        Some((null, "fixed answers")),
    );
}
