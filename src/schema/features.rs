//! The WebAssembly proposals in use.

use wasmparser::WasmFeatures;

/// The proposals that are accepted at load, and that the runtime enables.
///
/// This is what wasmtime 48 enables by itself with the crate features this
/// program builds it with ([WebAssembly 3.0][wasm3] without shared-memory
/// threads, the component model, and async functions), and the two proposals
/// that only add value types: [maps and fixed-length lists][cm]. Whatever the
/// validator lets through here, the optimising compiler must take; the baseline
/// compiler may refuse more.
///
/// [wasm3]: https://webassembly.github.io/spec/versions/core/WebAssembly-3.0-draft.pdf
/// [cm]: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Explainer.md#gated-features
pub fn features() -> WasmFeatures {
    WasmFeatures::WASM3
        .difference(WasmFeatures::THREADS)
        .union(WasmFeatures::GC_TYPES)
        .union(WasmFeatures::COMPONENT_MODEL)
        .union(WasmFeatures::CM_ASYNC)
        .union(WasmFeatures::CM_MAP)
        .union(WasmFeatures::CM_FIXED_LENGTH_LISTS)
}
