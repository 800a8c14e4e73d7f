//! Guests that try to escape the sandbox.

mod crowd;
#[cfg(unix)]
mod files;
mod javascript;
mod limits;
mod network;
mod resources;
mod values;
mod views;
