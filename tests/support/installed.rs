//! What the tests need and `tests/run` installs: a missing part fails the test
//! with the command that brings it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A real component, built from `examples/`.
pub fn component(name: &str) -> PathBuf {
    require("components", name, "tests/components/install.sh")
}

/// The Python that has the MCP SDK.
pub fn python() -> Command {
    client("python/bin/python")
}

/// A program from npm, with a Node that is new enough for it.
pub fn npm(program: &str) -> Command {
    let mut command = client("node");
    command.arg(Path::new("node_modules/.bin").join(program));
    command
}

/// A program of the MCP clients, in the directory where they are installed.
pub fn client(program: &str) -> Command {
    let path = require("clients", program, "tests/clients/install.sh");
    let mut command = Command::new(&path);
    let depth = Path::new(program).components().count();
    command.current_dir(path.ancestors().nth(depth).expect("it stands below"));
    command
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
