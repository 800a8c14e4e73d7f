//! A component on disk and its program, compiled by the real binary.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wassette::digest::Digest;
use wassette::runtime::{
    CallError, CodeSource, Program, Returned, Runtime, RuntimeOptions, Sandbox,
};
use wassette::schema::ExportPath;
use wassette::store::Layout;

pub struct Installed {
    pub root: TempDir,
    pub source: CodeSource,
}

impl Installed {
    /// Writes a component in text form to a root of its own.
    pub fn new(wat: &str) -> Self {
        Installed::of(&wat::parse_str(wat).unwrap())
    }

    /// Writes a component to a root of its own.
    pub fn of(bytes: &[u8]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let source = CodeSource {
            wasm: root.path().join("test.wasm"),
            digest: Digest::of(bytes),
            cwasm: root.path().join("test.cwasm"),
        };
        std::fs::write(&source.wasm, bytes).unwrap();
        Installed { root, source }
    }

    pub fn options(&self) -> RuntimeOptions {
        let compiler = PathBuf::from(env!("CARGO_BIN_EXE_wassette"));
        RuntimeOptions::new(compiler, Layout::new(self.root.path()))
    }

    /// Returns a program as after a restart of the server.
    pub fn program(&self) -> Arc<Program> {
        self.program_with(self.options())
    }

    pub fn program_with(&self, options: RuntimeOptions) -> Arc<Program> {
        Runtime::new(options).program(self.source.clone())
    }

    /// Returns a program whose calls may take up to `limit`.
    pub fn timed(&self, limit: Duration) -> Arc<Program> {
        let mut options = self.options();
        options.call_timeout = limit;
        self.program_with(options)
    }
}

pub fn export(function: &str) -> ExportPath {
    ExportPath {
        interface: None,
        function: function.into(),
    }
}

/// Calls a function of the world without any grants.
pub async fn call(program: &Program, function: &str, args: Value) -> Result<Returned, CallError> {
    let args: Map<String, Value> = serde_json::from_value(args).unwrap();
    let sandbox = Sandbox::deny_all();
    program
        .call(&export(function), args, &sandbox, &CancellationToken::new())
        .await
        .outcome
}
