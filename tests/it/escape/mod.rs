//! Guests that try to get out.

mod crowd;
#[cfg(unix)]
mod files;
mod javascript;
mod limits;
mod network;
mod resources;
mod values;
mod views;
