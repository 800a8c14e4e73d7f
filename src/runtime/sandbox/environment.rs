//! `wasi:cli/environment`: serves the granted variables, and records that a guest
//! read them.
//!
//! Replaces wasmtime-wasi's implementation. A guest reads all variables at once, so
//! it is not known which one it missed, only that it looked.

use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::cli::environment::{self, Host};

use super::Guest;

struct View<'a>(&'a Guest);

struct Environment;

impl HasData for Environment {
    type Data<'a> = View<'a>;
}

/// Replaces the functions that are already in the linker.
pub(in crate::runtime) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    environment::add_to_linker::<Guest, Environment>(linker, |guest| View(guest))?;
    linker.allow_shadowing(false);
    Ok(())
}

impl Host for View<'_> {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.0.denials().look().list())
    }

    /// The server's own arguments are not passed on.
    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.0.sandbox().working_directory().map(str::to_owned))
    }
}
