//! The store on disk: atomic, durable, shared by processes.

mod cache;
mod cache_room;
mod damage;
mod disk_full;
#[cfg(unix)]
mod flips;
mod foreign;
mod locked;
mod names;
mod pipes;
mod previous;
mod processes;
mod read_only;
mod rollback;
mod update;
