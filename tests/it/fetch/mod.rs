//! Fetching: from a reference to bytes on disk.

mod archives;
mod file;
mod hostile;
mod https;
mod interrupted;
mod kept;
mod layout;
mod mirrors;
mod mirrors_tls;
mod network;
mod oci;
mod oci_faults;
mod reach;
mod resume;
mod retries;
mod tags;
mod tolerant;
mod words;
