//! Checks that components can be compiled and that their code runs on this processor.

use std::sync::Arc;

use super::Finding;
use crate::digest::Digest;
use crate::runtime::CodeSource;
use crate::service::Service;
use crate::store::StoreError;

/// The smallest component: only the preamble of the component model's [binary
/// format](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md).
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

impl Service {
    pub(super) async fn check_engine(self: &Arc<Self>) -> Finding {
        let unwritable = |error| {
            let directory = std::env::temp_dir();
            Finding::failed("engine", &StoreError::io("write to", directory)(error))
        };
        // In a temporary directory, since the root may be read-only.
        let directory = match tempfile::tempdir() {
            Ok(directory) => directory,
            Err(error) => return unwritable(error),
        };
        let wasm = directory.path().join("empty.wasm");
        if let Err(error) = std::fs::write(&wasm, EMPTY) {
            return unwritable(error);
        }
        let source = CodeSource {
            cwasm: wasm.with_extension("cwasm"),
            digest: Digest::of(EMPTY),
            wasm,
        };
        match self.runtime.try_compiler(directory.path(), source).await {
            Ok(()) => Finding::ok("engine", "compiles a component"),
            Err(error) => Finding::failed("engine", &*error),
        }
    }
}
