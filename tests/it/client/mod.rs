//! Real MCP clients and real components.

mod agents;
mod real_components;
mod stacks;
