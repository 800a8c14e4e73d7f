//! Limits the server's memory for values that come from a guest.
//!
//! wasmtime builds a tree of the whole result and stops when its own count, the hostcall fuel, is
//! spent: 32 bytes for each value in a list, record or tuple, and the bytes of each name and
//! string. The memory that it really allocates depends on the type: a flag with a one-letter name
//! counts one byte and takes 80. So a call's count is its memory divided by the worst factor of
//! its result type.

mod worst;

use wasmtime::component::{Type, Val};

use worst::{Piece, Worst, worst};

/// Limit for the values of a result, in bytes.
pub(in crate::runtime) const VALUES: u64 = 64 << 20;
/// Limit for the JSON that is built from them, in bytes: a number takes 72.
pub(in crate::runtime) const JSON: u64 = 128 << 20;
/// Limit for the values of a result that is a list of bytes or numbers, in bytes. Each element
/// takes at most two slots.
const PLAIN: u64 = 256 << 20;
/// Least limit for results without a fixed size, in bytes.
const LEAST: u64 = 2 << 20;
/// wasmtime uses the same count for each call of a host function.
const LEAST_COUNT: u64 = 64 << 10;
const USUAL_COUNT: u64 = 16 << 20;
/// wasmtime's count for a value.
const VALUE: usize = size_of::<Val>();
/// The memory that results of certain types may take.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct Crossing {
    worst: Worst,
    kind: Kind,
}

/// The main part of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Plain,
    Values,
}

impl Crossing {
    /// Computes the limits of a function with these results.
    pub fn of(results: &[Type]) -> Self {
        let all = results.iter().map(|ty| worst(ty, Piece::ONCE));
        Crossing {
            worst: all.fold(Worst::default(), Worst::beside),
            kind: results.first().map_or(Kind::Values, kind),
        }
    }

    /// Returns the bytes for the values of a result whose JSON has at most `output` bytes.
    pub fn bytes(&self, output: u64) -> u64 {
        let limit = self.limit();
        let Worst {
            factor,
            fixed,
            endless,
        } = self.worst;
        if !endless {
            return fixed.min(limit);
        }
        let counted = match self.kind {
            Kind::Text => output,
            // Each value in a list has at least one byte of JSON.
            Kind::Plain | Kind::Values => output.saturating_mul(VALUE as u64),
        };
        let bytes = (counted as f64 * factor) as u64;
        bytes.saturating_add(fixed).clamp(LEAST, limit)
    }

    /// Returns wasmtime's count for results that may take `bytes`.
    pub fn count(&self, bytes: u64) -> usize {
        let Worst {
            factor,
            fixed,
            endless,
        } = self.worst;
        let count = if endless || bytes < fixed {
            let bytes = bytes.saturating_sub(fixed);
            ((bytes as f64 / factor.max(1.0)) as u64).max(LEAST_COUNT)
        } else {
            bytes.max(USUAL_COUNT)
        };
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn limit(&self) -> u64 {
        match self.kind {
            Kind::Plain => PLAIN,
            Kind::Text | Kind::Values => VALUES,
        }
    }

    /// Whether a result that takes too much is too long as JSON, rather than having too many
    /// values.
    pub fn is_long(&self, output: u64) -> bool {
        self.kind != Kind::Values || self.bytes(output) < self.limit()
    }
}

fn kind(ty: &Type) -> Kind {
    match ty {
        Type::String => Kind::Text,
        Type::List(list) if is_plain(&list.ty()) => Kind::Plain,
        Type::Option(option) => kind(&option.ty()),
        Type::Result(result) => {
            let sides = [result.ok(), result.err()].into_iter().flatten();
            let kinds: Vec<Kind> = sides.map(|ty| kind(&ty)).collect();
            let is = |kind| kinds.contains(&kind);
            match (is(Kind::Values), is(Kind::Plain), is(Kind::Text)) {
                (false, true, _) => Kind::Plain,
                (false, false, true) => Kind::Text,
                _ => Kind::Values,
            }
        }
        _ => Kind::Values,
    }
}

/// Whether a value takes no memory besides its own slot.
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

    use super::worst::room;
    use super::*;
    use crate::schema::value::heap;

    const MIB: u64 = 1 << 20;

    fn of(result: &str) -> Crossing {
        let engine = wasmtime::Engine::default();
        let text = format!(
            r#"(component
                (type $bytes (list u8))
                (type $flags' (flags "a" "b" "c" "d" "e" "f" "g" "h"))
                (type $wide' (record (field "a" u8) (field "b" $bytes)))
                (import "flags" (type $flags (eq $flags')))
                (import "wide" (type $wide (eq $wide')))
                (type $result {result})
                (import "f" (func (result $result))))"#
        );
        let component =
            wasmtime::component::Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let component = component.component_type();
        let function = component.imports(&engine).find_map(|(_, it)| match it.ty {
            ComponentItem::ComponentFunc(function) => Some(function),
            _ => None,
        });
        let results: Vec<Type> = function.unwrap().results().collect();
        Crossing::of(&results)
    }

    #[test]
    fn small_types_take_what_they_need() {
        let pair = room(2, VALUE) as u64;
        let boxed = heap(VALUE) as u64;
        for (result, most) in [("u32", 0), ("(tuple u8 u8)", pair), ("(option u8)", boxed)] {
            let crossing = of(result);
            assert_eq!(crossing.bytes(16 * MIB), most, "{result}");
            assert_eq!(crossing.count(most), 16 << 20, "{result}");
        }
    }

    #[test]
    fn it_follows_the_result() {
        for (result, most) in [
            ("string", 48),
            ("(option string)", 48),
            ("(list u8)", 256),
            ("(result $bytes (error string))", 256),
            ("(list u32)", 256),
            ("(list string)", 64),
            ("(list $flags)", 64),
            ("(tuple $bytes $bytes)", 64),
        ] {
            let crossing = of(result);
            assert_eq!(crossing.bytes(16 * MIB) / MIB, most, "{result}");
            assert_eq!(crossing.bytes(0), LEAST, "{result}");
            // wasmtime never counts more than is taken.
            assert!(crossing.count(most * MIB) as u64 <= most * MIB, "{result}");
        }
    }

    #[test]
    fn short_names_weigh_most() {
        let factor = |result| of(result).worst.factor;
        assert_eq!(factor("(list u8)"), 2.0);
        assert!(factor("(list $wide)") < 10.0);
        // Each flag counts one byte and takes 80.
        let flags = factor("(list $flags)");
        assert!((15.0..30.0).contains(&flags), "{flags}");
    }
}
