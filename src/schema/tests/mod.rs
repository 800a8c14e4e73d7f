//! Tests on real components, made from WIT or written as text.

mod bad_input;
mod describing;
mod documentation;
mod leftovers;
mod naming;
mod schemas;
pub(in crate::schema) mod strict;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, PackageId, Resolve};

use super::{Callable, Description, ListedTool, ToolRecord, describe};

/// Builds a component with the imports and exports of the one world in `wit`. Its functions trap.
pub(in crate::schema) fn component(wit: &str) -> Vec<u8> {
    let (resolve, package) = parse(wit);
    encode(&resolve, package)
}

pub(super) fn parse(wit: &str) -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).expect("the WIT is valid");
    (resolve, package)
}

pub(super) fn encode(resolve: &Resolve, package: PackageId) -> Vec<u8> {
    let world = resolve.select_world(&[package], None).expect("one world");
    let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)
        .expect("the module takes the world");
    ComponentEncoder::default()
        .module(&module)
        .expect("the module is valid")
        .encode()
        .expect("the module implements the world")
}

fn described(wit: &str) -> Description {
    describe(&component(wit), "demo").expect("the component is valid")
}

/// Returns the tool of the function called `function`.
fn tool<'d>(description: &'d Description, function: &str) -> &'d ToolRecord {
    match body(description, function) {
        Callable::Yes { tool } => tool,
        Callable::No { reason } => panic!("`{function}` is no tool: {reason}"),
    }
}

fn reason<'d>(description: &'d Description, function: &str) -> &'d str {
    match body(description, function) {
        Callable::Yes { .. } => panic!("`{function}` is a tool"),
        Callable::No { reason } => reason,
    }
}

fn body<'d>(description: &'d Description, function: &str) -> &'d Callable {
    let found = description
        .functions
        .iter()
        .find(|it| it.export.function == function);
    &found.expect("the function is exported").body
}
