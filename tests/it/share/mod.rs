//! Installed components, offered as an OCI registry.

mod mirror;
mod private;
mod registry;
