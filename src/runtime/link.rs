//! The host functions that guests can import, and which imports are missing.

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use super::config_store;
use super::error::CompileError;
use super::sandbox::{
    Guest, add_environment_to_linker, add_files_to_linker, add_network_to_linker,
};
use super::sentences;

/// Links WASI 0.2, `wasi:http` and `wasi:config`. Linking grants nothing: the sandbox
/// decides at each host call.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    add_environment_to_linker(&mut linker)?;
    add_files_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    add_network_to_linker(&mut linker)?;
    config_store::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Resolves a component's imports once, for all its instances.
pub(super) fn link(
    linker: &Linker<Guest>,
    component: &Component,
) -> Result<InstancePre<Guest>, CompileError> {
    linker.instantiate_pre(component).map_err(|source| {
        let engine = component.engine();
        let imports = component.component_type();
        let names = imports.imports(engine).map(|(name, _)| name);
        let import = sentences::import(&source, names).map(str::to_owned);
        let message = format!("{source:#}");
        CompileError::Link { import, message }
    })
}
