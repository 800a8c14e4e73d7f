//! A guest that uses files, and the directory that it uses.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wassette::policy::Policy;
use wassette::runtime::{Denial, Environment, Program, Returned, Sandbox, SandboxOptions};
use wassette::store::Layout;

use super::guests;
use super::program::{Installed, export};

/// The form of every denial in a guest.
pub const DENIED: &str = "error Operation not permitted";

pub struct Files {
    /// Canonical, so that rules match it.
    root: PathBuf,
    _root: TempDir,
    installed: Installed,
    program: Arc<Program>,
}

impl Files {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let installed = Installed::of(&guests::component("files"));
        Files {
            root: directory.path().canonicalize().unwrap(),
            // Some steps are repeated many thousand times, on a busy machine.
            program: installed.timed(Duration::from_secs(600)),
            _root: directory,
            installed,
        }
    }

    /// Returns the same guest, run by a server whose root is this directory.
    pub fn served_from(self, root: &str) -> Self {
        let mut options = self.installed.options();
        options.layout = Layout::new(self.path(root));
        Files {
            program: self.installed.program_with(options),
            ..self
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file, and creates its directories.
    pub fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn write_all(self, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            self.write(path, text);
        }
        self
    }

    pub fn directory(&self, path: &str) -> &Self {
        std::fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    pub fn symlink(&self, target: impl AsRef<Path>, path: &str) -> &Self {
        std::os::unix::fs::symlink(target, self.path(path)).unwrap();
        self
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Returns a sandbox with these storage rules; `$` stands for the test's directory.
    pub fn sandbox(&self, storage: &str) -> Sandbox {
        let text = format!("version: \"1.0\"\npermissions:\n  storage: {{{storage}}}\n");
        let policy = Policy::parse(&self.filled(&text)).unwrap();
        Sandbox::new(SandboxOptions {
            policy: &policy,
            working_directory: &self.root,
            variables: Arc::new(Environment::default()),
        })
    }

    fn filled(&self, text: &str) -> String {
        text.replace('$', self.root.to_str().unwrap())
    }

    /// Runs steps in one call, and returns the answers and denials.
    pub async fn run(&self, sandbox: &Sandbox, steps: &[&str]) -> (Vec<String>, Vec<Denial>) {
        let steps: Vec<String> = steps.iter().map(|step| self.filled(step)).collect();
        let args: Map<_, _> = Map::from_iter([("steps".to_owned(), json!(steps))]);
        let called = self
            .program
            .call(&export("run"), args, sandbox, &CancellationToken::new())
            .await;
        let Returned::Ok(answers) = called.outcome.unwrap() else {
            panic!("the guest answers with a list");
        };
        (serde_json::from_value(answers).unwrap(), called.denials)
    }

    /// Runs steps and checks their answers; returns the denials, such as `Read
    /// in/file`, without the test's directory.
    pub async fn expect(&self, sandbox: &Sandbox, steps: &[(&str, &str)]) -> Vec<String> {
        let (steps, expected): (Vec<_>, Vec<_>) = steps.iter().copied().unzip();
        let (answers, denials) = self.run(sandbox, &steps).await;
        let told = steps.iter().zip(answers.into_iter().zip(expected));
        let wrong: Vec<_> = told
            .filter(|(_, (answer, expected))| *answer != self.filled(expected))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}, {denials:#?}");
        denials
            .iter()
            .map(|denial| {
                let what = denial.what.raw().replace(self.root.to_str().unwrap(), "$");
                format!("{:?} {what}", denial.kind)
            })
            .collect()
    }
}
