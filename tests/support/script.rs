//! Scripts that take the place of programs.

use std::path::Path;
use std::process::Command;

/// Writes an executable shell script.
///
/// Another process writes it: if this one did, a child that another test starts would
/// inherit the open file until it executes its program, and a file that is open for
/// writing cannot be executed ("Text file busy").
pub fn write(path: &Path, text: &str) {
    let written = Command::new("sh")
        .args([
            "-c",
            r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#,
        ])
        .args([path.as_os_str(), text.as_ref()])
        .status();
    assert!(written.expect("`sh`").success());
}
