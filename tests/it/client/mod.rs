//! Real MCP clients and real components.

mod real_components;
mod stacks;
