//! Makes tools from exported functions.

use wit_parser::{self as wit, Resolve, WorldItem};

use super::decode::Decoded;
use super::json_schema::{Reason, Schemas, schemas};
use super::leftovers;
use super::names::tool_names;
use super::{Callable, ExportPath, Function, ToolRecord, text};

/// Most tools of one component.
const MAX_TOOLS: usize = 1_000;
/// Most nodes in all schemas of one component.
const MAX_NODES: usize = 100_000;

/// Returns the full names of exported interfaces and functions.
pub(super) fn export_names(decoded: &Decoded) -> Vec<String> {
    let Decoded { resolve, world, .. } = decoded;
    resolve.worlds[*world]
        .exports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect()
}

/// Returns all exported functions, callable or not.
pub(super) fn functions(decoded: &Decoded, wasm: &[u8], component: &str) -> Vec<Function> {
    let resolve = &decoded.resolve;
    let mut budget = Budget {
        tools: MAX_TOOLS,
        nodes: MAX_NODES,
    };
    let found: Vec<_> = exported(decoded)
        .into_iter()
        .map(|(path, function)| {
            let schemas = callable(resolve, &path, function, wasm).and_then(|it| budget.take(it));
            (path, function, schemas)
        })
        .collect();
    let paths: Vec<ExportPath> = found
        .iter()
        .filter(|(_, _, schemas)| schemas.is_ok())
        .map(|(path, _, _)| path.clone())
        .collect();
    let mut names = tool_names(&paths).into_iter();
    found
        .into_iter()
        .map(|(export, function, schemas)| {
            let description = description(&export, function, component);
            let body = match schemas {
                Err(reason) => Callable::No { reason },
                Ok(schemas) => fit(ToolRecord {
                    name: export.to_string(),
                    // `paths` has exactly the functions with schemas, in this
                    // order.
                    normalized_name: names.next().unwrap_or_default(),
                    description: description.clone(),
                    input_schema: schemas.input,
                    output_schema: schemas.output,
                    export: export.clone(),
                    outcome: schemas.outcome,
                }),
            };
            Function {
                export,
                description,
                body,
            }
        })
        .collect()
}

fn fit(mut tool: ToolRecord) -> Callable {
    match tool.make_fit() {
        Ok(()) => Callable::Yes { tool },
        Err(reason) => Callable::No { reason },
    }
}

fn exported(decoded: &Decoded) -> Vec<(ExportPath, &wit::Function)> {
    let resolve = &decoded.resolve;
    let mut found = Vec::new();
    for (key, item) in &resolve.worlds[decoded.world].exports {
        match item {
            WorldItem::Function(function) => found.push((world_path(function), function)),
            WorldItem::Interface { id, .. } => {
                let interface = resolve.name_world_key(key);
                let functions = resolve.interfaces[*id].functions.values();
                found.extend(functions.map(|function| {
                    let path = ExportPath {
                        interface: Some(interface.clone()),
                        function: function.name.clone(),
                    };
                    (path, function)
                }));
            }
            WorldItem::Type { .. } => {}
        }
    }
    found
}

fn world_path(function: &wit::Function) -> ExportPath {
    ExportPath {
        interface: None,
        function: function.name.clone(),
    }
}

fn callable(
    resolve: &Resolve,
    path: &ExportPath,
    function: &wit::Function,
    wasm: &[u8],
) -> Result<Schemas, Reason> {
    if let Some(resource) = function.kind.resource() {
        let name = resolve.types[resource].name.as_deref().unwrap_or("unnamed");
        return Err(format!("it belongs to the resource `{name}`"));
    }
    if let Some(toolchain) = leftovers::toolchain(resolve, path, function, wasm) {
        return Err(format!("it was left behind by {toolchain}"));
    }
    schemas(resolve, function)
}

/// The remaining limits of the component.
struct Budget {
    tools: usize,
    nodes: usize,
}

impl Budget {
    fn take(&mut self, schemas: Schemas) -> Result<Schemas, Reason> {
        self.tools = self
            .tools
            .checked_sub(1)
            .ok_or_else(|| format!("the component has {MAX_TOOLS} tools already"))?;
        self.nodes = self
            .nodes
            .checked_sub(schemas.nodes)
            .ok_or("the schemas of the component are too large already")?;
        Ok(schemas)
    }
}

fn description(path: &ExportPath, function: &wit::Function, component: &str) -> String {
    if let Some(docs) = &function.docs.contents {
        return docs.clone();
    }
    let function = &path.function;
    let text = match &path.interface {
        Some(interface) => {
            format!("Function `{function}` of interface `{interface}` in component `{component}`.")
        }
        None => format!("Function `{function}` of component `{component}`."),
    };
    text::clean(&text, text::MAX_DESCRIPTION)
}
