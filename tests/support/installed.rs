//! What the tests need and `tests/run` installs: a missing part fails the test
//! with the command that brings it.

use std::path::PathBuf;
use std::process::Command;

/// A real component, built from `examples/`.
pub fn component(name: &str) -> PathBuf {
    require("components", name, "tests/components/install.sh")
}

/// The Python that has the MCP SDK.
pub fn python() -> Command {
    Command::new(client("python/bin/python"))
}

/// A program from npm, with a Node that is new enough for it.
pub fn npm(program: &str) -> Command {
    let mut command = Command::new(client("node"));
    command.arg(client("node_modules/.bin").join(program));
    command
}

fn client(path: &str) -> PathBuf {
    require("clients", path, "tests/clients/install.sh")
}

fn require(folder: &str, path: &str, installer: &str) -> PathBuf {
    // Beside the `tmp` that cargo makes in the target directory, wherever that is.
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("..");
    let path = target.join(folder).join(path);
    assert!(
        path.exists(),
        "{} is missing; run {installer}",
        path.display()
    );
    path
}
