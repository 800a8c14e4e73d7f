//! Gives files to another user.

use std::path::Path;
use std::process::Command;

/// A user who owns no files of the tests.
const NOBODY: &str = "65534";

/// Gives a file or directory to another user. Needs root, or `sudo` without a
/// password.
pub fn give_away(path: &Path) {
    chown(NOBODY, path);
}

/// Gives it back to the current user.
pub fn take_back(path: &Path) {
    chown(&rustix::process::geteuid().as_raw().to_string(), path);
}

fn chown(user: &str, path: &Path) {
    let mut command = match rustix::process::geteuid().is_root() {
        true => Command::new("chown"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "chown"]);
            sudo
        }
    };
    let ended = command.arg(user).arg(path).output();
    let ended = ended.expect("`chown`, by root or with `sudo`");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
}
