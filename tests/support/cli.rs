//! Runs the binary with its own root.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::wait::DEADLINE;

/// A temporary root, and a directory for the test's files.
pub struct Cli {
    dir: TempDir,
}

/// The outcome of a command.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Cli {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("files")).unwrap();
        Cli { dir }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Writes a file for the test and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file_path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Returns the path of a file of the test.
    pub fn file_path(&self, name: &str) -> PathBuf {
        self.dir.path().join("files").join(name)
    }

    /// Returns the command, for tests that need more than its end.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wassette"));
        command
            .env_remove("RUST_LOG")
            .env("WASSETTE_ROOT", self.root())
            // The test must not use this user's credentials.
            .env("HOME", self.dir.path())
            .env_remove("WASSETTE_REGISTRY_AUTH")
            .env_remove("DOCKER_CONFIG")
            .env_remove("REGISTRY_AUTH_FILE")
            .env_remove("XDG_RUNTIME_DIR")
            // Nor the system's keyring.
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("DISPLAY")
            .env_remove("XDG_CONFIG_HOME")
            .current_dir(self.dir.path().join("files"));
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ended {
        let mut command = self.command();
        command.args(args);
        ended(command)
    }

    /// Runs with `-o json` and returns what was printed.
    pub fn json<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Value {
        let mut command = self.command();
        command.args(args).args(["-o", "json"]);
        let ended = ended(command);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    pub fn load(&self, file: &Path) -> Value {
        self.json([OsStr::new("load"), OsStr::new("--uri"), file.as_os_str()])
    }

    /// Returns the exit code and error output of a failed command, with the test's paths replaced.
    pub fn failure<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        let ended = self.run(args);
        assert_ne!(ended.code, 0, "{}", ended.stdout);
        assert_eq!(ended.stdout, "", "data was printed");
        format!("exit code {}\n{}", ended.code, self.scrub(&ended.stderr))
    }

    pub fn scrub(&self, text: &str) -> String {
        let files = self.dir.path().join("files");
        text.replace(&files.display().to_string(), "/files")
            .replace(&self.root().display().to_string(), "/root")
    }

    /// Whether no staging directory and no partial download is left on disk.
    pub fn is_tidy(&self) -> bool {
        self.leftovers().is_empty() && self.within("downloads/parts").is_empty()
    }

    /// Unfinished work on disk, apart from partial downloads, which are kept for the
    /// next attempt.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let mut downloads = self.within("downloads");
        downloads.retain(|path| !path.ends_with("parts"));
        downloads
    }

    /// Returns the paths in a directory of the root; empty if it is missing.
    fn within(&self, directory: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root().join(directory));
        let entries = entries.into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Runs a command to its end; fails the test if it hangs.
pub fn ended(mut command: Command) -> Ended {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id().to_string();
    let (sender, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    // Compiling a large component takes long on a busy machine.
    let Ok(output) = end.recv_timeout(4 * DEADLINE) else {
        let _ = Command::new("kill").args(["-9", &id]).status();
        panic!("{command:?} does not end");
    };
    output.unwrap().into()
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
