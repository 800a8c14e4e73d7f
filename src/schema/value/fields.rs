//! Converts objects with known members: arguments and records.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

use super::charged::Reader;
use super::error::ValueError;
use super::expected::expected;
use super::lenient;
use super::path::Path;
use crate::schema::Spellings;
use crate::schema::names::property_name;

/// A field or parameter.
pub(super) type Field<'t> = (&'t str, Type);

impl Reader<'_> {
    /// Converts the members of an object, in the order of the type's fields.
    pub(super) fn fields(
        &mut self,
        object: &Map<String, Value>,
        fields: &[Field],
        path: &Path<'_>,
    ) -> Result<Vec<(String, Val)>, ValueError> {
        let respelled = self.respelled(object, fields, path)?;
        let mut values = self.vec(fields.len(), path)?;
        for (index, (name, ty)) in fields.iter().enumerate() {
            let path = path.field(name);
            let json = member(object, name).or_else(|| respelled.get(&index).copied());
            let value = match (json, ty) {
                (Some(json), _) => self.value(json, ty, &path)?,
                (None, Type::Option(_)) => Val::Option(None),
                (None, _) => return Err(ValueError::missing(&path, expected(ty))),
            };
            values.push((self.name(name, &path)?, value));
        }
        Ok(values)
    }

    /// Returns the members whose names are other spellings of missing fields, by the index of the
    /// field.
    ///
    /// # Errors
    ///
    /// If a member matches no field.
    fn respelled<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        fields: &[Field],
        path: &Path<'_>,
    ) -> Result<HashMap<usize, &'v Value>, ValueError> {
        let mut found = HashMap::new();
        let mut spellings = None;
        for (given, json) in object {
            if is_known(given, fields) {
                continue;
            }
            let names = || fields.iter().map(|(name, _)| property_name(name));
            let spellings = spellings.get_or_insert_with(|| Spellings::new(names()));
            let meant = spellings.meant(given);
            let absent = meant.filter(|index| member(object, fields[*index].0).is_none());
            let place = path.field(given);
            match absent {
                Some(index) if found.insert(index, json).is_none() => {
                    self.note_spelling(&place, fields[index].0);
                }
                _ => {
                    let known: Vec<_> = names().collect();
                    let known = known.iter().map(AsRef::as_ref);
                    return Err(ValueError::unknown(&place, known));
                }
            }
        }
        Ok(found)
    }
}

/// Returns the members of an object; none for `[]`.
pub(super) fn object(json: &Value) -> Option<Cow<'_, Map<String, Value>>> {
    match json {
        Value::Object(object) => Some(Cow::Borrowed(object)),
        _ if lenient::is_empty_object(json) => Some(Cow::Owned(Map::new())),
        _ => None,
    }
}

/// Returns the member with this name, or with its shortened form from the schema.
fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object
        .get(name)
        .or_else(|| object.get(&*property_name(name)))
}

fn is_known(name: &str, fields: &[Field]) -> bool {
    let mut known = fields.iter().map(|(known, _)| *known);
    known.any(|known| known == name || property_name(known) == name)
}
