//! Builds components from the guests in `tests/guests` that target WASI 0.1.

use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as ADAPTER_NAME,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::installed;

/// Returns the guest with this name, which is also the name of its world.
pub fn component(name: &str) -> Vec<u8> {
    let core = installed::component(&format!("{name}.core.wasm"));
    let mut core = std::fs::read(core).unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/guests/{name}/{name}.wit"));
    let wit = std::fs::read_to_string(wit).unwrap();
    let package = resolve.push_str(format!("{name}.wit"), &wit).unwrap();
    let world = resolve.select_world(&[package], Some(name)).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&core).unwrap();
    let mut encoder = encoder.adapter(ADAPTER_NAME, ADAPTER).unwrap();
    encoder.encode().unwrap()
}
