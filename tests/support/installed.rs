//! Parts that the tests need and `tests/run` installs. If one is missing, the test
//! fails with the command that installs it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns a real component, built from `examples/`.
pub fn component(name: &str) -> PathBuf {
    require("components", name, "tests/components/install.sh")
}

/// Returns the Python with the MCP SDK.
pub fn python() -> Command {
    client("python/bin/python")
}

/// Returns a program from npm, run with a recent Node.
pub fn npm(program: &str) -> Command {
    let mut command = client("node");
    command.arg(Path::new("node_modules/.bin").join(program));
    command
}

/// Returns a program of the MCP clients, in the directory where they are installed.
pub fn client(program: &str) -> Command {
    let path = require("clients", program, "tests/clients/install.sh");
    let mut command = Command::new(&path);
    let depth = Path::new(program).components().count();
    command.current_dir(path.ancestors().nth(depth).expect("it stands below"));
    command
}

/// Returns the path of an installed part.
pub fn require(folder: &str, path: &str, installer: &str) -> PathBuf {
    // Next to the `tmp` directory that cargo makes in the target directory.
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("..");
    let path = target.join(folder).join(path);
    assert!(
        path.exists(),
        "{} is missing; run {installer}",
        path.display()
    );
    path
}
