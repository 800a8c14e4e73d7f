//! Works around a limitation of the decoder with exported types.
//!
//! `wit_component` rejects components that export a type directly from the
//! world. Such a type cannot be called anyway, so this module replaces the
//! export by an import with the same name. The import takes the same index in
//! the type index space, so all references remain valid.

use wasmparser::{BinaryReader, ComponentExportSectionReader, ComponentExternalKind};

/// Magic number, version and layer.
const HEADER: usize = 8;
const IMPORTS: u8 = 10;
const EXPORTS: u8 = 11;

/// Returns a copy of the component with type exports replaced by imports; `None` if there are no
/// type exports.
pub(super) fn as_imports(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut copy = wasm.get(..HEADER)?.to_vec();
    let mut changed = false;
    let mut rest = &wasm[HEADER..];
    while let Some((id, contents, after)) = section(rest) {
        let parts = (id == EXPORTS).then(|| divided(contents)).flatten();
        match parts {
            Some(parts) => {
                changed = true;
                copy.extend(parts);
            }
            None => copy.extend(&rest[..rest.len() - after.len()]),
        }
        rest = after;
    }
    changed.then_some(copy)
}

/// Splits off the first section: its id, its content, and the rest.
fn section(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let mut reader = BinaryReader::new(bytes, 0);
    let id = reader.read_u8().ok()?;
    let size = reader.read_var_u32().ok()? as usize;
    let contents = bytes.get(reader.original_position()..)?;
    let (contents, after) = contents.split_at_checked(size)?;
    Some((id, contents, after))
}

/// Splits an export section into sections of one item, with imports for its
/// types; `None` if it has no types.
fn divided(contents: &[u8]) -> Option<Vec<u8>> {
    let exports = ComponentExportSectionReader::new(BinaryReader::new(contents, 0)).ok()?;
    let exports: Vec<_> = exports
        .into_iter_with_offsets()
        .collect::<Result<_, _>>()
        .ok()?;
    let ends = exports.iter().skip(1).map(|(start, _)| *start);
    let ends: Vec<usize> = ends.chain([contents.len()]).collect();
    let mut sections = Vec::new();
    let mut changed = false;
    for ((start, export), end) in exports.iter().zip(ends) {
        if export.kind == ComponentExternalKind::Type && export.ty.is_none() {
            changed = true;
            write_section(
                &mut sections,
                IMPORTS,
                &import(export.name.name, export.index),
            );
        } else {
            write_section(&mut sections, EXPORTS, contents.get(*start..end)?);
        }
    }
    changed.then_some(sections)
}

/// Returns an import of a type that equals the type at `index`.
fn import(name: &str, index: u32) -> Vec<u8> {
    const PLAIN_NAME: u8 = 0;
    const TYPE: u8 = 3;
    const EQUAL: u8 = 0;
    let mut import = vec![PLAIN_NAME];
    write_number(&mut import, name.len());
    import.extend(name.as_bytes());
    import.extend([TYPE, EQUAL]);
    write_number(&mut import, index as usize);
    import
}

/// Writes a section with one item.
fn write_section(to: &mut Vec<u8>, id: u8, item: &[u8]) {
    to.push(id);
    write_number(to, 1 + item.len());
    to.push(1);
    to.extend(item);
}

/// Writes an unsigned LEB128 number.
fn write_number(to: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

#[cfg(test)]
mod tests {
    use crate::schema::{Callable, describe};

    #[test]
    fn exported_types_refuse_no_component() {
        let text = r#"(component
            (core module $m (func (export "f") (param i32) (result i32) local.get 0))
            (core instance $i (instantiate $m))
            (type $wide' (record (field "a" u32)))
            (export $wide "wide" (type $wide'))
            (func $f (param "x" $wide) (result u32) (canon lift (core func $i "f")))
            (export "f" (func $f))
            (type $plain u8)
            (export "plain" (type $plain)))"#;
        let wasm = wat::parse_str(text).unwrap();
        let description = describe(&wasm, "demo").unwrap();
        assert_eq!(description.unknown_imports, Vec::<String>::new());
        let [function] = &description.functions[..] else {
            panic!("{:?}", description.functions);
        };
        assert_eq!(function.export.function, "f");
        let Callable::Yes { tool } = &function.body else {
            panic!("{function:?}");
        };
        assert!(tool.input_schema["properties"]["x"]["properties"]["a"].is_object());
    }
}
