//! Whether components are compiled and code is made for this processor.

use std::sync::Arc;

use super::Finding;
use crate::digest::Digest;
use crate::runtime::{CodeSource, Force};
use crate::service::Service;
use crate::store::StoreError;

/// The smallest component: the preamble alone, by the component model's
/// [binary format](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md).
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

impl Service {
    pub(super) async fn check_engine(self: &Arc<Self>) -> Finding {
        let staging = match self.store.stage() {
            Ok(staging) => staging,
            Err(error) => return Finding::failed("engine", &error),
        };
        let wasm = staging.path().join("empty.wasm");
        if let Err(error) = std::fs::write(&wasm, EMPTY) {
            return Finding::failed("engine", &StoreError::io("write", &wasm)(error));
        }
        let program = self.runtime.program(CodeSource {
            cwasm: wasm.with_extension("cwasm"),
            digest: Digest::of(EMPTY),
            wasm,
        });
        match program.optimised(Force::Yes).await {
            Ok(_) => Finding::ok("engine", "compiles a component"),
            Err(error) => Finding::failed("engine", error.as_ref()),
        }
    }
}
