//! The enabled WebAssembly proposals.

use wasmparser::WasmFeatures;

/// The proposals that the validator accepts and the runtime enables.
///
/// These are the defaults of wasmtime 48 with the crate features of this
/// program ([WebAssembly 3.0][wasm3] without shared-memory threads, the
/// component model, and async functions), and two proposals that only add value
/// types: [maps and fixed-length lists][cm]. The optimising compiler must
/// support everything that is accepted here; the baseline compiler may reject
/// more.
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
