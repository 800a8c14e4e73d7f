//! What is written to registries.

mod push;
mod push_faults;
mod referrers;
