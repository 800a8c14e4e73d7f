//! Wassette serves WebAssembly components as tools to AI agents over MCP.
//!
//! Each module depends only on modules above it in this table (a test asserts
//! this).
//!
//! | module | role |
//! |---|---|
//! | `text`, [`error`], [`file`](mod@file), [`digest`], [`secret`] | untrusted text made safe to show; error codes, hints and reports; files opened without blocking, and locks; digests; secrets and their redaction |
//! | [`reference`](mod@reference) | the grammar of references, component ids |
//! | [`catalog`] | lists of known components: parsing and search |
//! | [`policy`] | the permissions document |
//! | [`schema`] | WIT to JSON Schema, values, tool names |
//! | [`net`] | the HTTP client: TLS, proxies, retries, limits; no word of OCI |
//! | [`registry`] | the OCI client: hosts, credentials, sessions by scope, reading and writing |
//! | [`fetch`] | a reference's bytes on disk |
//! | [`config`] | `config.toml` |
//! | [`manifest`] | the manifest of `apply`, and its lock |
//! | [`verify`] | digests, signatures, trust rules; the only maker of `Verified` |
//! | [`store`] | what is on disk, and how it changes |
//! | [`runtime`] | engines, compiled code, sandbox, limits, one call |
//! | [`toolbox`] | the live table of tools |
//! | [`install`] | stages and commits a component, and settles its grants |
//! | [`publish`] | signs what authors made |
//! | [`service`] | the operations behind the CLI and MCP, such as load and unload |
//! | [`http`] | the HTTP server, into which other modules plug routers |
//! | [`share`] | a router that serves the installed components as a read-only OCI registry |
//! | [`mcp`] | the MCP server: handler, built-in tools, transports |
//! | [`cli`] | the command line |
//! | `fuzz` | what the fuzz targets run; in tests and fuzzing alone |
//!
//! Invariants:
//!
//! 1. A tag is resolved once; after that only digests are used.
//! 2. Every blob is checked against its own descriptor, and nothing unverified
//!    is ever visible under `components/`: the types `Fetched`, `Verified`,
//!    `Prepared` and `Installed` are each made from the one before.
//! 3. A component directory appears, changes and vanishes in one rename; several
//!    change together or not at all.
//! 4. Native code is loaded only if this program wrote it; there is one
//!    `unsafe` block.
//! 5. The metadata of an artifact grants nothing.
//! 6. A tool's name never changes its meaning while the server runs.
//! 7. A start neither compiles nor needs the network.
//! 8. What a guest prints never reaches the MCP stream, and one guest never
//!    stops another.
//! 9. An error for bad input names the subject, the cause and the remedy.

#![deny(unsafe_code)]

mod text;

pub mod error;

pub mod file;

pub mod digest;

pub mod secret;

pub mod reference;

pub mod catalog;

pub mod policy;

pub mod schema;

pub mod net;

pub mod registry;

pub mod fetch;

pub mod config;

pub mod manifest;

pub mod verify;

pub mod store;

pub mod runtime;

pub mod toolbox;

pub mod install;

pub mod publish;

pub mod service;

pub mod http;

pub mod share;

pub mod mcp;

pub mod cli;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
