//! Finds the tool that a request calls: the one it names or, for `call-tool`, the one
//! in its arguments.

use serde_json::{Map, Value};

use crate::toolbox::Toolbox;

use super::super::extras::Tolerated;
use super::super::offer::{Effect, Offer};
use super::arguments::CallArguments;
use super::{Builtin, Failure};

/// Clients show the tools of a server called `wassette` with this prefix, and some
/// send it back.
const CLIENT_PREFIX: &str = "mcp__wassette__";

/// The tool to call and its arguments.
pub(in crate::mcp) struct Requested {
    pub tool: String,
    pub arguments: Map<String, Value>,
    /// The server's own tool through which it is called.
    pub via: Option<&'static str>,
    /// What was tolerated in the arguments of `call-tool` itself.
    pub tolerated: Tolerated,
}

impl Requested {
    /// # Errors
    ///
    /// A [`Failure`] when `call-tool` is switched off, or its arguments do not name a
    /// component's tool.
    pub fn of(
        name: &str,
        mut arguments: Map<String, Value>,
        offer: Offer,
        toolbox: &Toolbox,
    ) -> Result<Self, Failure> {
        let tool = without_prefix(name, toolbox);
        if Builtin::named(tool) != Some(Builtin::Call) {
            return Ok(Requested {
                tool: tool.to_owned(),
                arguments,
                via: None,
                tolerated: Tolerated::default(),
            });
        }
        offer
            .admits(Effect::Call)
            .map_err(|option| Failure::Disabled {
                tool: Builtin::Call,
                option,
            })?;
        let tolerated = Builtin::Call.tolerate(&mut arguments)?;
        let CallArguments { name, arguments } = Builtin::Call.parse(arguments)?;
        let tool = without_prefix(&name, toolbox);
        if let Some(builtin) = Builtin::named(tool) {
            let name = builtin.name();
            return Err(Builtin::Call.invalid(format!(
                "`{name}` is one of the server's own tools; call it by its own name"
            )));
        }
        Ok(Requested {
            tool: tool.to_owned(),
            arguments: arguments.unwrap_or_default(),
            via: Some(Builtin::Call.name()),
            tolerated,
        })
    }
}

/// The name without a client's prefix, unless a tool has the name with the prefix.
fn without_prefix<'a>(name: &'a str, toolbox: &Toolbox) -> &'a str {
    match name.strip_prefix(CLIENT_PREFIX) {
        Some(rest) if toolbox.get(name).is_none() => rest,
        _ => name,
    }
}
