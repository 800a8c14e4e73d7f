//! `wasi:config/store` in the draft version that published JavaScript components
//! import; it serves the granted environment, read-only.
//!
//! The interface is that of
//! [wasi-config](https://github.com/WebAssembly/wasi-config/blob/main/wit/store.wit).

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::sandbox::{DenialKind, Guest};
use crate::policy::Reason;

const INTERFACE: &str = "wasi:config/store@0.2.0-draft";

/// The interface's `error`; reading the environment never fails, so it is never made.
#[derive(ComponentType, Lift, Lower, Debug)]
#[component(variant)]
enum StoreError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

type Answer<T> = wasmtime::Result<(Result<T, StoreError>,)>;

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut store = linker.instance(INTERFACE)?;
    store.func_wrap("get", get)?;
    store.func_wrap("get-all", get_all)
}

fn get(guest: StoreContextMut<'_, Guest>, (key,): (String,)) -> Answer<Option<String>> {
    let denials = guest.data().denials();
    let value = denials.look().variable(&key);
    if value.is_none() {
        denials.record(DenialKind::Environment, &key, Reason::NotGranted);
    }
    Ok((Ok(value.map(str::to_owned)),))
}

fn get_all(guest: StoreContextMut<'_, Guest>, (): ()) -> Answer<Vec<(String, String)>> {
    Ok((Ok(guest.data().denials().look().list()),))
}
