//! The sandbox of a guest.

mod environment;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod files_escape;
#[cfg(unix)]
mod files_server;
#[cfg(unix)]
mod files_swapped;
mod requests;
mod sockets;
