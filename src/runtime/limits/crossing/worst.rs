//! The largest ratio of memory to wasmtime's count, over all values of a type.

use wasmtime::component::{Type, Val};

use super::VALUE;
use crate::schema::value::heap;

/// Slots of a list's value, in bytes: a list grows by doubling, so up to twice the slots are
/// allocated, and at least four.
const LIST_VALUE: usize = 2 * VALUE;
const LIST: usize = 4 * VALUE + 16;
/// Bytes for each byte of a string: one byte of Latin-1 can become two, and two of UTF-16 become
/// three in a buffer that grows by doubling.
const TEXT_BYTE: f64 = 3.0;
/// Bytes of a flag's name: two slots, since the list grows by doubling.
const FLAG: usize = 2 * size_of::<String>();
const FLAGS: usize = 4 * size_of::<String>() + 16;

/// The bytes that some values take, and wasmtime's count for them.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    taken: usize,
    counted: usize,
    /// Whether the result has exactly one of it, whatever its size.
    once: bool,
}

impl Piece {
    pub const ONCE: Piece = Piece {
        taken: 0,
        counted: VALUE,
        once: true,
    };

    fn and(self, taken: usize, counted: usize) -> Self {
        Piece {
            taken: self.taken.saturating_add(taken),
            counted: self.counted.saturating_add(counted),
            ..self
        }
    }

    fn name(self, name: &str) -> Self {
        self.and(heap(name.len()), name.len())
    }

    fn boxed(self) -> Self {
        self.and(heap(VALUE), VALUE)
    }

    /// Returns the slot of one of the `fields` fields of this value.
    fn fields(self, fields: usize, field: usize) -> Self {
        Piece {
            taken: room(fields, field).div_ceil(fields.max(1)),
            counted: VALUE,
            ..self
        }
    }

    /// Returns the worst case of a value that contains nothing else.
    fn value(self) -> Worst {
        let factor = self.taken as f64 / self.counted as f64;
        Worst {
            factor: if self.once { 0.0 } else { factor },
            ..Worst::default()
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Worst {
    /// Bytes taken for each one that wasmtime counts, where there may be many.
    pub factor: f64,
    /// Bytes that do not depend on lengths.
    pub fixed: u64,
    /// Whether some part has a variable length.
    pub endless: bool,
}

impl Worst {
    /// Combines two values that exist together.
    pub fn beside(self, other: Self) -> Self {
        Worst {
            fixed: self.fixed.saturating_add(other.fixed),
            ..self.or(other)
        }
    }

    /// Combines two alternatives, of which only one exists.
    fn or(self, other: Self) -> Self {
        Worst {
            factor: self.factor.max(other.factor),
            fixed: self.fixed.max(other.fixed),
            endless: self.endless || other.endless,
        }
    }

    fn and(self, taken: usize) -> Self {
        Worst {
            fixed: self.fixed.saturating_add(taken as u64),
            ..self
        }
    }
}

/// Returns the worst case of a type, in a slot that takes and counts as `place` says.
pub(super) fn worst(ty: &Type, place: Piece) -> Worst {
    match ty {
        Type::String => {
            let text = place.and(heap(1), 0).value();
            Worst {
                factor: text.factor.max(TEXT_BYTE),
                fixed: heap(1) as u64,
                endless: true,
            }
        }
        Type::List(list) => {
            let items = [(list.ty(), LIST_VALUE)];
            several(place.and(LIST, 0), LIST, &items)
        }
        Type::Map(map) => {
            let room = VALUE + VALUE / 8;
            let items = [(map.key(), room), (map.value(), room)];
            several(place.and(heap(1), 0), heap(1), &items)
        }
        Type::FixedLengthList(list) => {
            let length = list.len() as usize;
            let one = worst(&list.ty(), place.fields(length, VALUE));
            let fixed = one.fixed.saturating_mul(length as u64);
            Worst { fixed, ..one }.and(room(length, VALUE))
        }
        Type::Tuple(tuple) => {
            let length = tuple.types().len();
            let place = place.fields(length, VALUE);
            let all = tuple.types().map(|ty| worst(&ty, place));
            all.fold(Worst::default(), Worst::beside)
                .and(room(length, VALUE))
        }
        Type::Record(record) => {
            const FIELD: usize = size_of::<(String, Val)>();
            let length = record.fields().len();
            let place = place.fields(length, FIELD);
            let all = record
                .fields()
                .map(|field| worst(&field.ty, place.name(field.name)).and(heap(field.name.len())));
            all.fold(Worst::default(), Worst::beside)
                .and(room(length, FIELD))
        }
        Type::Variant(variant) => {
            let cases = variant.cases().map(|case| {
                let named = place.name(case.name);
                payload(case.ty, named).and(heap(case.name.len()))
            });
            cases.fold(Worst::default(), Worst::or)
        }
        Type::Option(option) => payload(None, place).or(payload(Some(option.ty()), place)),
        Type::Result(result) => payload(result.ok(), place).or(payload(result.err(), place)),
        Type::Enum(ty) => {
            let names = ty.names();
            let names = names.map(|name| place.name(name).value().and(heap(name.len())));
            names.fold(Worst::default(), Worst::or)
        }
        Type::Flags(flags) => {
            // Short names first: each raises the ratio, until longer ones lower it.
            let mut names: Vec<usize> = flags.names().map(str::len).collect();
            names.sort_unstable();
            let mut piece = place.and(FLAGS, 0);
            let mut worst = piece.value().and(FLAGS);
            for length in names {
                let taken = FLAG + heap(length);
                piece = piece.and(taken, length);
                worst = worst.beside(piece.value().and(taken));
            }
            worst
        }
        _ => place.value(),
    }
}

fn payload(ty: Option<Type>, place: Piece) -> Worst {
    match ty {
        Some(ty) => worst(&ty, place.boxed()).and(heap(VALUE)),
        None => place.value(),
    }
}

/// Returns the worst case of a value at `place` with any number of `items`, each with its own slot
/// size.
fn several(place: Piece, fixed: usize, items: &[(Type, usize)]) -> Worst {
    let all = items.iter().map(|(ty, room)| {
        let item = Piece {
            taken: *room,
            counted: VALUE,
            once: false,
        };
        worst(ty, item)
    });
    Worst {
        fixed: fixed as u64,
        endless: true,
        ..all.fold(place.value(), Worst::or)
    }
}

/// Bytes of a list with `fields` fields: it grows by doubling.
pub(super) fn room(fields: usize, field: usize) -> usize {
    heap(fields.next_power_of_two().max(4).saturating_mul(field))
}
