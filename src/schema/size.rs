//! Computes the size of types when printed.
//!
//! Types are a graph: a type of a hundred bytes can expand to millions of nodes
//! when each use is printed in full.

use wit_parser::{Resolve, Type, TypeDefKind, WorldItem};

/// Returns the number of types that the WIT text of all packages would print.
pub(super) fn printed(resolve: &Resolve) -> u64 {
    let mut sizes = vec![None; resolve.types.len()];
    let mut total = 0_u64;
    for (_, ty) in resolve.types.iter() {
        if ty.name.is_some() {
            total = total.saturating_add(kind(resolve, &ty.kind, &mut sizes));
        }
    }
    let worlds = resolve
        .worlds
        .iter()
        .flat_map(|(_, world)| world.imports.values().chain(world.exports.values()));
    let world_functions = worlds.filter_map(|item| match item {
        WorldItem::Function(function) => Some(function),
        _ => None,
    });
    let interface_functions = resolve
        .interfaces
        .iter()
        .flat_map(|(_, interface)| interface.functions.values());
    for function in world_functions.chain(interface_functions) {
        for ty in function
            .params
            .iter()
            .map(|param| &param.ty)
            .chain(&function.result)
        {
            total = total.saturating_add(one(resolve, ty, &mut sizes));
        }
    }
    total
}

fn one(resolve: &Resolve, ty: &Type, sizes: &mut [Option<u64>]) -> u64 {
    let Type::Id(id) = ty else { return 1 };
    let def = &resolve.types[*id];
    if def.name.is_some() {
        return 1;
    }
    if let Some(size) = sizes[id.index()] {
        return size;
    }
    // The recursion is bounded: the validator rejects types nested more than
    // 100 deep.
    let size = kind(resolve, &def.kind, sizes);
    sizes[id.index()] = Some(size);
    size
}

fn kind(resolve: &Resolve, kind: &TypeDefKind, sizes: &mut [Option<u64>]) -> u64 {
    let mut total = 1_u64;
    for ty in parts(kind) {
        total = total.saturating_add(one(resolve, &ty, sizes));
    }
    total
}

/// Returns the types that a type consists of.
fn parts(kind: &TypeDefKind) -> Vec<Type> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Option(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Type(ty) => vec![*ty],
        TypeDefKind::Map(key, value) => vec![*key, *value],
        TypeDefKind::Result(result) => result.ok.into_iter().chain(result.err).collect(),
        TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => ty.iter().copied().collect(),
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Enum(_)
        | TypeDefKind::Unknown => Vec::new(),
    }
}
