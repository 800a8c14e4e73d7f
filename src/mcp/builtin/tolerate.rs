//! Accepts arguments of built-in tools that differ from the schema in ways in which
//! clients and models are known to send them, if their meaning is certain.

use serde_json::{Map, Value, json};

use super::super::extras::{PassOver, Tolerated, pass_over, respell};
use super::super::offer::Effect;
use super::{Builtin, Failure};
use crate::schema::value::lenient;

impl Builtin {
    /// Normalises arguments to the schema, and returns what was ignored or renamed.
    ///
    /// - `null` means absent;
    /// - names may be spelled with other case, hyphens and underscores;
    /// - `id` and `component_id` mean the same, like `path` and `uri`;
    /// - objects, lists, numbers and booleans may be given as text, and `[]` for
    ///   `{}`.
    ///
    /// # Errors
    ///
    /// [`Failure::Arguments`] when both names of one argument have different values.
    pub(in crate::mcp) fn tolerate(
        self,
        arguments: &mut Map<String, Value>,
    ) -> Result<Tolerated, Failure> {
        arguments.retain(|_, value| !value.is_null());
        if let Some((other, name)) = self.alias()
            && let Some(value) = arguments.shift_remove(other)
            && let Some(before) = arguments.insert(name.to_owned(), value.clone())
            && before != value
        {
            let fault = format!("`{other}` is another name for `{name}`, with another value");
            return Err(self.invalid(fault));
        }
        if self == Builtin::Call
            && let Some(of_the_tool) = arguments.get_mut("arguments")
        {
            tolerate_object(of_the_tool);
        }
        let schema = &self.tool().input_schema;
        let mut respelled = respell(arguments, schema, "args");
        let ignored = pass_over(arguments, schema, self.passes_over());
        for (name, value) in arguments.iter_mut() {
            if let Some(schema) = schema.get("properties").and_then(|known| known.get(name)) {
                lenient::settle(value, schema);
            }
        }
        let properties = schema.get("properties");
        if let Some(schema) = properties.and_then(|known| known.get("details"))
            && let Some(details) = arguments.get_mut("details")
        {
            if let (Some(members), Some(schema)) = (details.as_object_mut(), schema.as_object()) {
                respelled.extend(respell(members, schema, "args.details"));
            }
            lenient::settle(details, schema);
        }
        // `serde` would read its members from a list.
        if arguments
            .get("details")
            .is_some_and(|details| !details.is_object())
        {
            return Err(self.invalid("`details` is not an object"));
        }
        Ok(Tolerated { ignored, respelled })
    }

    /// An alternative name, and the argument it stands for.
    fn alias(self) -> Option<(&'static str, &'static str)> {
        match self {
            Builtin::Call | Builtin::List | Builtin::Search => None,
            Builtin::Load => Some(("path", "uri")),
            Builtin::Unload => Some(("component_id", "id")),
            Builtin::Policy | Builtin::Reset | Builtin::Grant(_) | Builtin::Revoke(_) => {
                Some(("id", "component_id"))
            }
        }
    }

    fn passes_over(self) -> PassOver {
        match self {
            Builtin::Load | Builtin::Grant(_) | Builtin::Revoke(_) => PassOver::Nothing,
            _ if self.effect() == Effect::Look => PassOver::Any,
            _ => PassOver::Known,
        }
    }
}

/// Accepts an object as text, and `[]` or an empty text for an empty object.
pub(in crate::mcp) fn tolerate_object(value: &mut Value) {
    if value == "" {
        *value = json!({});
    }
    lenient::settle(value, &json!({ "type": "object" }));
}
