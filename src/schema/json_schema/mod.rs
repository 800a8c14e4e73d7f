//! Converts WIT types to [JSON Schema 2020-12][spec].
//!
//! The schemas describe the encoding of [`super::value`]. All types are
//! inlined, because clients and models handle `$ref` badly.
//!
//! [spec]: https://json-schema.org/draft/2020-12

mod parts;

use serde_json::{Map, Value, json};
use wit_parser::{
    Case, Docs, Enum, Flags, Function, Handle, Record, Resolve, Result_, Type, TypeDefKind,
};

use super::text;
use parts::{Fields, null, object, one_of, primitive};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// Deepest nesting of types. One level takes up to four levels of JSON, and common JSON parsers
/// stop at 128.
pub(super) const MAX_DEPTH: usize = 24;
/// Most types and names in the schemas of one function.
pub(super) const MAX_NODES: usize = 10_000;
/// Most characters of the description of a field or case.
pub(super) const MAX_DOCS: usize = 500;

/// The schemas of one function.
pub(super) struct Schemas {
    pub(super) input: Object,
    pub(super) output: Object,
    pub(super) outcome: super::Outcome,
    /// Number of types and names in the schemas.
    pub(super) nodes: usize,
}

/// The reason why a function has no schemas, such as "parameter `x` contains a stream".
pub(super) type Reason = String;

/// Creates the schemas of a function's arguments and result.
///
/// # Errors
///
/// Returns the reason why the function cannot be called with JSON.
pub(super) fn schemas(resolve: &Resolve, function: &Function) -> Result<Schemas, Reason> {
    let mut writer = Writer { resolve, nodes: 0 };
    let mut fields = Fields::default();
    for param in &function.params {
        let schema = writer
            .schema(&param.ty, 0)
            .map_err(|obstacle| format!("parameter `{}` {obstacle}", param.name))?;
        writer.add(&mut fields, &param.name, &param.ty, schema);
    }
    let input = fields.into_schema();
    let (result, outcome) = writer
        .result(function.result.as_ref())
        .map_err(|obstacle| format!("the result {obstacle}"))?;
    let mut output = Fields::default();
    output.require("result", result);
    Ok(Schemas {
        input,
        output: output.into_schema(),
        outcome,
        nodes: writer.nodes,
    })
}

struct Writer<'a> {
    resolve: &'a Resolve,
    nodes: usize,
}

impl Writer<'_> {
    fn result(&mut self, ty: Option<&Type>) -> Result<(Object, super::Outcome), Reason> {
        let Some(ty) = ty else {
            return Ok((null(), super::Outcome::Plain));
        };
        if let Some(TypeDefKind::Result(Result_ { ok, err })) = self.kind(ty).cloned() {
            // The schema of the error value is not part of the output, but the
            // value must have a JSON form.
            if let Some(err) = &err {
                self.schema(err, 1)?;
            }
            return Ok((self.payload(ok.as_ref(), 0)?, super::Outcome::Result));
        }
        Ok((self.schema(ty, 0)?, super::Outcome::Plain))
    }

    /// Returns the definition of a type; `None` for a primitive.
    fn kind(&self, ty: &Type) -> Option<&TypeDefKind> {
        match self.unaliased(ty) {
            Type::Id(id) => Some(&self.resolve.types[id].kind),
            _ => None,
        }
    }

    /// Resolves type aliases.
    fn unaliased(&self, ty: &Type) -> Type {
        let mut ty = *ty;
        while let Type::Id(id) = ty
            && let TypeDefKind::Type(alias) = self.resolve.types[id].kind
        {
            ty = alias;
        }
        ty
    }

    fn is_option(&self, ty: &Type) -> bool {
        matches!(self.kind(ty), Some(TypeDefKind::Option(_)))
    }

    /// Adds a field; an `option` is not required.
    fn add(&self, fields: &mut Fields, name: &str, ty: &Type, schema: Object) {
        if self.is_option(ty) {
            fields.allow(name, schema);
        } else {
            fields.require(name, schema);
        }
    }

    fn schema(&mut self, ty: &Type, depth: usize) -> Result<Object, Reason> {
        if depth > MAX_DEPTH {
            return Err(format!("nests types more than {MAX_DEPTH} levels deep"));
        }
        self.spend(1)?;
        let mut schema = match self.unaliased(ty) {
            Type::Id(id) => self.compound(&self.resolve.types[id].kind, depth)?,
            ty => primitive(&ty)?,
        };
        // The docs of the outermost alias describe this use of the type best.
        if let Some(docs) = self.docs(ty) {
            describe(&mut schema, docs);
        }
        Ok(schema)
    }

    fn docs(&self, ty: &Type) -> Option<&Docs> {
        let mut ty = *ty;
        while let Type::Id(id) = ty {
            let def = &self.resolve.types[id];
            if !def.docs.is_empty() {
                return Some(&def.docs);
            }
            match def.kind {
                TypeDefKind::Type(alias) => ty = alias,
                _ => return None,
            }
        }
        None
    }

    fn compound(&mut self, kind: &TypeDefKind, depth: usize) -> Result<Object, Reason> {
        let next = depth + 1;
        match kind {
            TypeDefKind::Record(record) => self.record(record, next),
            TypeDefKind::Tuple(tuple) => self.tuple(&tuple.types, next),
            TypeDefKind::Variant(variant) => self.variant(&variant.cases, next),
            TypeDefKind::Enum(cases) => self.names_of_enum(cases),
            TypeDefKind::Flags(flags) => self.flags(flags),
            TypeDefKind::Option(ty) => self.option(ty, next),
            TypeDefKind::Result(result) => self.nested_result(result, next),
            TypeDefKind::List(ty) => self.list(ty, next),
            TypeDefKind::FixedLengthList(ty, length) => {
                let mut schema = object(json!({ "type": "array" }));
                schema.insert("items".to_owned(), self.schema(ty, next)?.into());
                schema.insert("minItems".to_owned(), (*length).into());
                schema.insert("maxItems".to_owned(), (*length).into());
                Ok(schema)
            }
            TypeDefKind::Map(key, value) => self.map(key, value, next),
            TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_)) | TypeDefKind::Resource => {
                Err("contains a resource".to_owned())
            }
            TypeDefKind::Stream(_) => Err("contains a stream".to_owned()),
            TypeDefKind::Future(_) => Err("contains a future".to_owned()),
            // The caller resolves aliases, and decoding rejects unknown types.
            TypeDefKind::Type(_) | TypeDefKind::Unknown => {
                Err("contains an unknown type".to_owned())
            }
        }
    }

    fn record(&mut self, record: &Record, depth: usize) -> Result<Object, Reason> {
        let mut fields = Fields::default();
        for field in &record.fields {
            self.name(&field.name)?;
            let mut schema = self.schema(&field.ty, depth)?;
            describe(&mut schema, &field.docs);
            self.add(&mut fields, &field.name, &field.ty, schema);
        }
        Ok(fields.into_schema())
    }

    fn tuple(&mut self, types: &[Type], depth: usize) -> Result<Object, Reason> {
        let items = types
            .iter()
            .map(|ty| Ok(self.schema(ty, depth)?.into()))
            .collect::<Result<Vec<Value>, Reason>>()?;
        let mut schema = object(json!({ "type": "array" }));
        schema.insert("prefixItems".to_owned(), items.into());
        schema.insert("items".to_owned(), false.into());
        schema.insert("minItems".to_owned(), types.len().into());
        schema.insert("maxItems".to_owned(), types.len().into());
        Ok(schema)
    }

    fn variant(&mut self, cases: &[Case], depth: usize) -> Result<Object, Reason> {
        let mut choices: Vec<Value> = Vec::with_capacity(cases.len());
        for case in cases {
            self.name(&case.name)?;
            let mut fields = Fields::default();
            fields.require(
                "tag",
                object(json!({ "type": "string", "const": case.name })),
            );
            if let Some(ty) = &case.ty {
                let schema = self.schema(ty, depth)?;
                self.add(&mut fields, "val", ty, schema);
            }
            let mut choice = fields.into_schema();
            describe(&mut choice, &case.docs);
            choices.push(choice.into());
        }
        Ok(one_of(choices))
    }

    fn names_of_enum(&mut self, cases: &Enum) -> Result<Object, Reason> {
        let mut names: Vec<Value> = Vec::with_capacity(cases.cases.len());
        for case in &cases.cases {
            self.name(&case.name)?;
            names.push(case.name.as_str().into());
        }
        let mut schema = object(json!({ "type": "string" }));
        schema.insert("enum".to_owned(), names.into());
        describe_names(
            &mut schema,
            cases
                .cases
                .iter()
                .map(|case| (case.name.as_str(), &case.docs)),
        );
        Ok(schema)
    }

    fn flags(&mut self, flags: &Flags) -> Result<Object, Reason> {
        let mut names: Vec<Value> = Vec::with_capacity(flags.flags.len());
        for flag in &flags.flags {
            self.name(&flag.name)?;
            names.push(flag.name.as_str().into());
        }
        let mut schema = object(json!({
            "type": "array",
            "items": { "type": "string", "enum": names },
            "uniqueItems": true,
        }));
        describe_names(
            &mut schema,
            flags
                .flags
                .iter()
                .map(|flag| (flag.name.as_str(), &flag.docs)),
        );
        Ok(schema)
    }

    /// `null` for none. A nested option is wrapped in `{"some": …}`, since its
    /// value may be `null`.
    fn option(&mut self, ty: &Type, depth: usize) -> Result<Object, Reason> {
        let mut some = self.schema(ty, depth)?;
        if self.is_option(ty) {
            let mut fields = Fields::default();
            fields.require("some", some);
            some = fields.into_schema();
        }
        let mut schema = Object::new();
        let choices: Vec<Value> = vec![some.into(), null().into()];
        schema.insert("anyOf".to_owned(), choices.into());
        Ok(schema)
    }

    fn nested_result(&mut self, result: &Result_, depth: usize) -> Result<Object, Reason> {
        let mut ok = Fields::default();
        ok.require("ok", self.payload(result.ok.as_ref(), depth)?);
        let mut err = Fields::default();
        err.require("err", self.payload(result.err.as_ref(), depth)?);
        Ok(one_of(vec![
            ok.into_schema().into(),
            err.into_schema().into(),
        ]))
    }

    fn payload(&mut self, ty: Option<&Type>, depth: usize) -> Result<Object, Reason> {
        ty.map_or_else(|| Ok(null()), |ty| self.schema(ty, depth))
    }

    fn list(&mut self, ty: &Type, depth: usize) -> Result<Object, Reason> {
        if matches!(self.unaliased(ty), Type::U8) {
            return Ok(object(
                json!({ "type": "string", "contentEncoding": "base64" }),
            ));
        }
        let mut schema = object(json!({ "type": "array" }));
        schema.insert("items".to_owned(), self.schema(ty, depth)?.into());
        Ok(schema)
    }

    fn map(&mut self, key: &Type, value: &Type, depth: usize) -> Result<Object, Reason> {
        if matches!(self.unaliased(key), Type::String) {
            let mut schema = object(json!({ "type": "object" }));
            schema.insert(
                "additionalProperties".to_owned(),
                self.schema(value, depth)?.into(),
            );
            return Ok(schema);
        }
        let pair = self.tuple(&[*key, *value], depth)?;
        let mut schema = object(json!({ "type": "array" }));
        schema.insert("items".to_owned(), pair.into());
        Ok(schema)
    }

    /// Counts a name. Long names count more, to bound the size of the text.
    fn name(&mut self, name: &str) -> Result<(), Reason> {
        self.spend(1 + name.len() / 64)
    }

    fn spend(&mut self, nodes: usize) -> Result<(), Reason> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(format!("makes a schema of more than {MAX_NODES} parts"));
        }
        Ok(())
    }
}

/// Sets the description. The description of a field replaces that of its type.
fn describe(schema: &mut Object, docs: &Docs) {
    if let Some(docs) = &docs.contents {
        let docs = text::clean(docs, MAX_DOCS);
        schema.insert("description".to_owned(), docs.into());
    }
}

/// Lists the docs of names in the description of the type, because JSON Schema
/// has no descriptions for single `enum` values.
fn describe_names<'d>(schema: &mut Object, names: impl Iterator<Item = (&'d str, &'d Docs)>) {
    let lines: Vec<String> = names
        .filter_map(|(name, docs)| Some(format!("{name}: {}", docs.contents.as_deref()?)))
        .collect();
    if !lines.is_empty() {
        let docs = text::clean(&lines.join("\n"), MAX_DOCS);
        schema.insert("description".to_owned(), docs.into());
    }
}
