//! The MCP server, over each transport.

#[cfg(unix)]
mod annotations;
mod audit;
mod auth;
mod cors;
pub mod crowd;
#[cfg(unix)]
mod denials;
mod events;
mod follow;
pub mod grants;
mod grants_config;
mod grants_swapped;
mod hangup;
mod http;
mod limits;
mod listed_once;
mod offer;
mod raw;
mod shares;
mod shown;
mod sources;
mod sse;
mod strict_readers;
mod tolerated;
mod tools;
mod unread;
mod wire;
