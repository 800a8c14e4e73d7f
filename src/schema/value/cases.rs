//! Converts values that name a case: variants, results and flags.
//!
//! The functions return `None` for JSON of the wrong type.

use serde_json::Value;
use wasmtime::component::{Type, Val};

use super::charged::Reader;
use super::error::ValueError;
use super::expected::{expected, one_of};
use super::path::Path;

impl Reader<'_> {
    pub(super) fn case(
        &mut self,
        json: &Value,
        cases: &[(&str, Option<Type>)],
        path: &Path<'_>,
    ) -> Result<Option<Val>, ValueError> {
        let Some(object) = json.as_object() else {
            return Ok(None);
        };
        let names = || one_of(cases.iter().map(|(name, _)| *name));
        let tag_path = path.field("tag");
        let tag = object
            .get("tag")
            .ok_or_else(|| ValueError::missing(&tag_path, names()))?;
        let known: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
        let name = tag.as_str();
        let name = name.and_then(|tag| self.one_of(tag, &known, &tag_path));
        let Some((name, ty)) = cases.iter().find(|(case, _)| Some(*case) == name) else {
            return Err(ValueError::mismatch(&tag_path, names(), tag));
        };
        let place = path.field("val");
        let mut others = object.keys().filter(|key| *key != "tag" && *key != "val");
        if let Some(other) = others.next() {
            let known = ty.iter().map(|_| "val");
            return Err(ValueError::unknown(&path.field(other), known));
        }
        let payload = match (ty, object.get("val")) {
            (Some(ty), Some(json)) => Some(self.value(json, ty, &place)?),
            (Some(Type::Option(_)), None) => Some(Val::Option(None)),
            (Some(ty), None) => return Err(ValueError::missing(&place, expected(ty))),
            // `null` is accepted for a case without payload.
            (None, None | Some(Value::Null)) => None,
            (None, Some(_)) => return Err(ValueError::unknown(&place, [].into_iter())),
        };
        let name = self.name(name, path)?;
        Ok(Some(Val::Variant(name, self.boxed(payload, path)?)))
    }

    pub(super) fn either(
        &mut self,
        json: &Value,
        ok: Option<Type>,
        err: Option<Type>,
        path: &Path<'_>,
    ) -> Result<Option<Val>, ValueError> {
        let side = match json.as_object() {
            Some(object) if object.len() == 1 => object.iter().next(),
            _ => None,
        };
        Ok(match side {
            Some((name, json)) if name == "ok" => {
                let payload = self.payload(json, ok, &path.field("ok"))?;
                Some(Val::Result(Ok(payload)))
            }
            Some((name, json)) if name == "err" => {
                let payload = self.payload(json, err, &path.field("err"))?;
                Some(Val::Result(Err(payload)))
            }
            _ => None,
        })
    }

    fn payload(
        &mut self,
        json: &Value,
        ty: Option<Type>,
        path: &Path<'_>,
    ) -> Result<Option<Box<Val>>, ValueError> {
        let value = match ty {
            Some(ty) => Some(self.value(json, &ty, path)?),
            None if json.is_null() => None,
            None => return Err(ValueError::mismatch(path, "null", json)),
        };
        self.boxed(value, path)
    }

    pub(super) fn flags(
        &mut self,
        json: &Value,
        known: &[&str],
        path: &Path<'_>,
    ) -> Result<Option<Val>, ValueError> {
        let Some(items) = json.as_array() else {
            return Ok(None);
        };
        let mut names: Vec<String> = self.vec(items.len().min(known.len()), path)?;
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            let name = item.as_str();
            match name.and_then(|name| self.one_of(name, known, &path)) {
                Some(name) if names.iter().any(|seen| seen == name) => {
                    return Err(ValueError::found(&path, "each flag once", "it again"));
                }
                Some(name) => names.push(self.name(name, &path)?),
                None => {
                    let expected = one_of(known.iter().copied());
                    return Err(ValueError::mismatch(&path, expected, item));
                }
            }
        }
        Ok(Some(Val::Flags(names)))
    }
}
