//! Arguments of the server's own tools in other words than those of the schema,
//! as clients and models are known to send them, where the meaning is certain.

use serde_json::{Map, Value, json};

use super::super::extras::{PassOver, pass_over};
use super::super::offer::Effect;
use super::{Builtin, Failure};
use crate::schema::value::lenient;

impl Builtin {
    /// Puts arguments into the words of the schema, and returns the names of
    /// those that were passed over.
    ///
    /// - `null` is absent;
    /// - `id` and `component_id`, and `path` and `uri`, mean the same;
    /// - objects, lists, numbers and booleans may be text, `[]` may be `{}`.
    ///
    /// # Errors
    ///
    /// [`Failure::Arguments`] when two names of one argument have different values.
    pub(in crate::mcp) fn tolerate(
        self,
        arguments: &mut Map<String, Value>,
    ) -> Result<Vec<String>, Failure> {
        arguments.retain(|_, value| !value.is_null());
        if let Some((other, name)) = self.alias()
            && let Some(value) = arguments.shift_remove(other)
            && let Some(before) = arguments.insert(name.to_owned(), value.clone())
            && before != value
        {
            let fault = format!("`{other}` is another name for `{name}`, with another value");
            return Err(self.invalid(fault));
        }
        let schema = &self.tool().input_schema;
        let passed_over = pass_over(arguments, schema, self.passes_over());
        for (name, value) in arguments.iter_mut() {
            if let Some(schema) = schema.get("properties").and_then(|known| known.get(name)) {
                lenient::settle(value, schema);
            }
        }
        Ok(passed_over)
    }

    /// A name that some use, and the one that it stands for.
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

/// Takes the text of an object, and `[]`, for the object.
pub(in crate::mcp) fn tolerate_object(value: &mut Value) {
    lenient::settle(value, &json!({ "type": "object" }));
}
