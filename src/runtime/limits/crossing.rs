//! The host's memory that a value coming from a guest may take.

use wasmtime::component::Type;

/// Bytes that are counted: at least, at most, and for each byte of JSON that a
/// result may have. An element of a list takes 32 bytes, and one byte of JSON
/// or more.
const LEAST: u64 = 16 << 20;
const MOST: u64 = 256 << 20;
const PER_BYTE: u64 = 32;
/// Small lists take up to so many times what is counted, and what they leave in
/// the heap is hardly ever given back to the system.
const SCATTERED: u64 = 4;

/// Bytes to be counted for results of these types.
pub(in crate::runtime) fn crossing(results: &[Type], output: u64) -> u64 {
    let most = if is_compact(results) {
        MOST
    } else {
        MOST / SCATTERED
    };
    output.saturating_mul(PER_BYTE).clamp(LEAST, most)
}

/// Whether all there is lies in a few pieces, however much it is.
pub(in crate::runtime) fn is_compact(results: &[Type]) -> bool {
    results.iter().all(|ty| match ty {
        Type::List(list) => is_plain(&list.ty()),
        Type::Option(option) => is_compact(&[option.ty()]),
        Type::Result(result) => [result.ok(), result.err()]
            .into_iter()
            .flatten()
            .all(|ty| is_compact(&[ty])),
        Type::String => true,
        other => is_plain(other),
    })
}

/// Whether a value takes no memory beside its own place.
fn is_plain(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Bool
            | Type::S8
            | Type::U8
            | Type::S16
            | Type::U16
            | Type::S32
            | Type::U32
            | Type::S64
            | Type::U64
            | Type::Float32
            | Type::Float64
            | Type::Char
    )
}

#[cfg(test)]
mod tests {
    use wasmtime::component::types::ComponentItem;

    use super::*;

    /// The most that a function with such a result may take, in MiB.
    fn most(result: &str) -> u64 {
        let engine = wasmtime::Engine::default();
        let text = format!(
            r#"(component
                (type $bytes (list u8))
                (type $result {result})
                (import "f" (func (result $result))))"#
        );
        let component =
            wasmtime::component::Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let component = component.component_type();
        let (_, import) = component.imports(&engine).next().unwrap();
        let ComponentItem::ComponentFunc(function) = import.ty else {
            panic!("not a function");
        };
        let results: Vec<Type> = function.results().collect();
        crossing(&results, 1 << 30) >> 20
    }

    #[test]
    fn lists_in_lists_are_counted_for_more() {
        for compact in ["(list u8)", "(result $bytes (error string))", "(option u8)"] {
            assert_eq!(most(compact), 256, "{compact}");
        }
        for scattered in ["(list $bytes)", "(list string)", "(tuple $bytes $bytes)"] {
            assert_eq!(most(scattered), 64, "{scattered}");
        }
    }

    #[test]
    fn it_follows_the_result() {
        let bytes = |output| crossing(&[Type::String], output);
        assert_eq!(
            [bytes(0), bytes(1 << 20), bytes(1 << 40)],
            [LEAST, 32 << 20, MOST]
        );
    }
}
