//! Writing to registries.

mod push;
mod push_faults;
mod referrers;
