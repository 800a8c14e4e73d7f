//! Reads doc comments from the `package-docs` custom section.
//!
//! [wit-parser][format] defines the section for WIT packages: a version byte
//! and JSON. Toolchains do not copy it into components. Where it was added
//! afterwards, it has the names of the source package, so entries are matched
//! by name and others are ignored. Documentation never makes a load fail.
//!
//! [format]: https://github.com/bytecodealliance/wasm-tools/blob/main/crates/wit-parser/src/metadata.rs

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Map;
use wit_parser::{
    Docs, Function, InterfaceId, Resolve, TypeDef, TypeDefKind, WorldId, WorldItem, WorldKey,
};

use super::text;

/// The supported versions. Version 0 has plain strings for functions.
const VERSIONS: std::ops::RangeInclusive<u8> = 0..=1;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PackageDocs {
    docs: Option<String>,
    worlds: Map<String, serde_json::Value>,
    interfaces: Map<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WorldDocs {
    docs: Option<String>,
    funcs: Map<String, serde_json::Value>,
    func_exports: Map<String, serde_json::Value>,
    interfaces: Map<String, serde_json::Value>,
    interface_exports: Map<String, serde_json::Value>,
    types: Map<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InterfaceDocs {
    docs: Option<String>,
    funcs: Map<String, serde_json::Value>,
    types: Map<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypeDocs {
    docs: Option<String>,
    items: Map<String, serde_json::Value>,
}

/// Parses one entry; `None` if it is missing or malformed.
fn entry<T: for<'de> Deserialize<'de>>(
    entries: &Map<String, serde_json::Value>,
    name: &str,
) -> Option<T> {
    T::deserialize(entries.get(name)?).ok()
}

/// Returns the docs of a function: a string in version 0, an object since version 1.
fn function_docs(entries: &Map<String, serde_json::Value>, name: &str) -> Option<Docs> {
    let entry = entries.get(name)?;
    let docs = entry.as_str().or_else(|| entry.get("docs")?.as_str())?;
    clean(docs)
}

fn clean(docs: &str) -> Option<Docs> {
    let text = text::clean(docs, text::MAX_DESCRIPTION);
    (!text.is_empty()).then_some(Docs {
        contents: Some(text),
    })
}

fn set(target: &mut Docs, docs: Option<Docs>) {
    if let Some(docs) = docs {
        *target = docs;
    }
}

impl PackageDocs {
    /// Parses a section; `None` if it is malformed.
    pub(super) fn parse(section: &[u8]) -> Option<Self> {
        let (version, json) = section.split_first()?;
        if !VERSIONS.contains(version) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }

    /// Adds the documentation to the matching items.
    pub(super) fn inject(&self, resolve: &mut Resolve, world: WorldId) {
        let interfaces: Vec<InterfaceId> = resolve.interfaces.iter().map(|(id, _)| id).collect();
        for id in interfaces {
            let Some(name) = resolve.interfaces[id].name.clone() else {
                continue;
            };
            if let Some(docs) = entry::<InterfaceDocs>(&self.interfaces, &name)
                && is_unambiguous(resolve, &name, id)
            {
                docs.inject(resolve, id);
            }
        }
        for name in self.worlds.keys() {
            if let Some(docs) = entry::<WorldDocs>(&self.worlds, name) {
                docs.inject(resolve, world);
            }
        }
        if let Some(package) = resolve.worlds[world].package {
            let docs = self.docs.as_deref().and_then(clean);
            set(&mut resolve.packages[package].docs, docs);
        }
    }
}

/// Whether the interface can be matched by name. The section does not name
/// packages, so WASI's interfaces are excluded, and those whose name occurs in
/// several packages.
fn is_unambiguous(resolve: &Resolve, name: &str, id: InterfaceId) -> bool {
    let package = |id: InterfaceId| {
        let name = &resolve.packages[resolve.interfaces[id].package?].name;
        Some((name.namespace.as_str(), name.name.as_str()))
    };
    if package(id).is_some_and(|(namespace, _)| namespace == "wasi") {
        return false;
    }
    let packages: BTreeSet<_> = resolve
        .interfaces
        .iter()
        .filter(|(_, other)| other.name.as_deref() == Some(name))
        .filter_map(|(other, _)| package(other))
        .filter(|(namespace, _)| *namespace != "wasi")
        .collect();
    packages.len() <= 1
}

impl WorldDocs {
    fn inject(&self, resolve: &mut Resolve, world: WorldId) {
        set(
            &mut resolve.worlds[world].docs,
            self.docs.as_deref().and_then(clean),
        );
        let exports: Vec<WorldKey> = resolve.worlds[world].exports.keys().cloned().collect();
        for key in exports {
            let WorldKey::Name(name) = &key else { continue };
            match &mut resolve.worlds[world].exports[&key] {
                WorldItem::Function(function) => {
                    let docs = function_docs(&self.func_exports, name)
                        .or_else(|| function_docs(&self.funcs, name));
                    set(&mut function.docs, docs);
                }
                WorldItem::Interface { id, .. } => {
                    let id = *id;
                    let docs = entry::<InterfaceDocs>(&self.interface_exports, name)
                        .or_else(|| entry(&self.interfaces, name));
                    if let Some(docs) = docs {
                        docs.inject(resolve, id);
                    }
                }
                WorldItem::Type { .. } => {}
            }
        }
        let types: Vec<_> = resolve.worlds[world]
            .imports
            .iter()
            .filter_map(|(key, item)| match (key, item) {
                (WorldKey::Name(name), WorldItem::Type { id, .. }) => Some((name.clone(), *id)),
                _ => None,
            })
            .collect();
        for (name, id) in types {
            if let Some(docs) = entry::<TypeDocs>(&self.types, &name) {
                docs.inject(&mut resolve.types[id]);
            }
        }
    }
}

impl InterfaceDocs {
    fn inject(&self, resolve: &mut Resolve, id: InterfaceId) {
        let interface = &mut resolve.interfaces[id];
        set(&mut interface.docs, self.docs.as_deref().and_then(clean));
        for (name, function) in &mut interface.functions {
            let function: &mut Function = function;
            set(&mut function.docs, function_docs(&self.funcs, name));
        }
        for (name, id) in &interface.types {
            if let Some(docs) = entry::<TypeDocs>(&self.types, name) {
                docs.inject(&mut resolve.types[*id]);
            }
        }
    }
}

impl TypeDocs {
    fn inject(&self, ty: &mut TypeDef) {
        set(&mut ty.docs, self.docs.as_deref().and_then(clean));
        let item = |name: &str| clean(self.items.get(name)?.as_str()?);
        match &mut ty.kind {
            TypeDefKind::Record(record) => {
                for field in &mut record.fields {
                    set(&mut field.docs, item(&field.name));
                }
            }
            TypeDefKind::Variant(variant) => {
                for case in &mut variant.cases {
                    set(&mut case.docs, item(&case.name));
                }
            }
            TypeDefKind::Enum(cases) => {
                for case in &mut cases.cases {
                    set(&mut case.docs, item(&case.name));
                }
            }
            TypeDefKind::Flags(flags) => {
                for flag in &mut flags.flags {
                    set(&mut flag.docs, item(&flag.name));
                }
            }
            _ => {}
        }
    }
}
