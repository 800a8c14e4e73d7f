//! Installed components served as an OCI registry.

mod mirror;
mod private;
mod registry;
