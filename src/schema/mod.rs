//! Derives the tools of a component from its types, without running it.
//!
//! [`describe`] validates a component and decodes its types, which takes
//! milliseconds where compiling takes seconds. Each exported function whose
//! types are plain values becomes a [`ToolRecord`] with JSON Schemas; the
//! others are listed with the reason. [`value`] converts between JSON and
//! component values as the schemas describe.

mod bare_types;
mod decode;
mod docs;
mod error;
mod features;
mod functions;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod imports;
mod json_schema;
mod leftovers;
mod names;
mod portable;
mod reach;
pub mod rules;
mod shown;
mod size;
mod spelling;
mod strict;
mod text;
mod validate;
pub mod value;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use json_schema::Reason;

pub use error::SchemaError;
pub use features::features;
pub use imports::is_provided;
pub use names::{
    InvalidNameLength, MAX_LENGTH as MAX_TOOL_NAME, NameLength, property_name, shorten_name,
    tool_names,
};
pub use portable::make_exact;
pub use reach::Reach;
pub use shown::MAX_DEFINITION;
pub use spelling::Spellings;
pub use strict::ListedTool;
pub use text::clean as clean_text;

/// Description of a component, made without running it.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The name of the world. Components do not store it, so it is `root`.
    pub world: String,
    /// Full names of all imports, such as `wasi:io/poll@0.2.0`.
    pub imports: Vec<String>,
    /// Full names of the imports that the runtime does not provide. If there
    /// are any, [`Description::tools`] fails.
    pub unknown_imports: Vec<String>,
    /// Full names of exported interfaces and functions.
    pub exports: Vec<String>,
    /// The world as WIT text, with its documentation.
    pub wit: String,
    /// All exported functions, in the component's order.
    pub functions: Vec<Function>,
}

/// An exported function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub export: ExportPath,
    pub description: String,
    pub body: Callable,
}

/// Whether a function can be called with JSON.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are `Yes`")]
pub enum Callable {
    Yes { tool: ToolRecord },
    No { reason: String },
}

/// A tool, as stored in the metadata of a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolRecord {
    /// The WIT path: `ns:pkg/iface@1.0.0#func`, or `func`.
    pub name: String,
    /// The MCP tool name, distinct within the component.
    pub normalized_name: String,
    pub description: String,
    /// JSON Schema of the arguments object.
    pub input_schema: Map<String, Value>,
    /// JSON Schema of `{"result": …}`.
    pub output_schema: Map<String, Value>,
    pub export: ExportPath,
    pub outcome: Outcome,
}

/// An exported function that is not a tool, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncallable {
    /// The WIT path.
    pub name: String,
    pub reason: String,
}

/// The form of a function's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The call returns the function's value, if it has one.
    Plain,
    /// The function returns a WIT `result`: a value or an error value.
    Result,
}

/// Path of a function in the exports of its component.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExportPath {
    /// `ns:pkg/iface@1.0.0`, or `None` for a function of the world itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    pub function: String,
}

impl fmt::Display for ExportPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interface) = &self.interface {
            write!(f, "{interface}#")?;
        }
        f.write_str(&self.function)
    }
}

/// Describes a component. `component_name` is only used in descriptions.
///
/// Also succeeds for components that cannot be loaded because of unknown
/// imports or because no function is callable; [`Description::tools`] reports
/// that. Call it on a blocking thread: it takes about 10 ms per megabyte.
///
/// # Errors
///
/// A [`SchemaError`] if the bytes are not a valid component.
pub fn describe(wasm: &[u8], component_name: &str) -> Result<Description, SchemaError> {
    decode::contained(|| {
        let decoded = decode::decode(wasm)?;
        Ok(Description {
            world: decoded.resolve.worlds[decoded.world].name.clone(),
            imports: imports::names(&decoded),
            unknown_imports: imports::unknown(&decoded),
            exports: functions::export_names(&decoded),
            wit: decode::wit_text(&decoded),
            functions: functions::functions(&decoded, wasm, component_name),
        })
    })
}

impl Description {
    /// Returns the tools of a component that can be loaded.
    ///
    /// # Errors
    ///
    /// [`SchemaError::UnknownImports`] and [`SchemaError::NoTools`].
    pub fn tools(&self) -> Result<Vec<ToolRecord>, SchemaError> {
        if !self.unknown_imports.is_empty() {
            return Err(SchemaError::UnknownImports {
                names: self.unknown_imports.clone(),
            });
        }
        let tools = self.callable();
        if tools.is_empty() {
            return Err(SchemaError::NoTools {
                reason: self.why_no_tools(),
            });
        }
        Ok(tools)
    }

    /// Returns the callable functions, even if the component cannot be loaded.
    pub fn callable(&self) -> Vec<ToolRecord> {
        let functions = self.functions.iter();
        functions
            .filter_map(|function| match &function.body {
                Callable::Yes { tool } => Some(tool.clone()),
                Callable::No { .. } => None,
            })
            .collect()
    }

    /// Returns the functions that are not tools, with the reasons.
    pub fn uncallable(&self) -> Vec<Uncallable> {
        let functions = self.functions.iter();
        functions
            .filter_map(|function| match &function.body {
                Callable::Yes { .. } => None,
                Callable::No { reason } => Some(Uncallable {
                    name: function.export.to_string(),
                    reason: reason.clone(),
                }),
            })
            .collect()
    }

    fn why_no_tools(&self) -> String {
        let first = self
            .functions
            .iter()
            .find_map(|function| match &function.body {
                Callable::No { reason } => Some(format!("`{}`: {reason}", function.export)),
                Callable::Yes { .. } => None,
            });
        match (first, self.functions.len()) {
            (None, _) => "it exports no function".to_owned(),
            (Some(first), 1) => first,
            (Some(first), n) => format!("{first}; and {} more", n - 1),
        }
    }
}
