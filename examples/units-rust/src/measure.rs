//! Units of measure and the conversions between them.

use crate::Units;
use crate::exports::examples::units::measure::{Guest, Quantity, Refusal, Unit};

/// A unit, with its conversion to the base unit of its quantity: `value * factor + offset`.
struct Known {
    symbol: &'static str,
    name: &'static str,
    quantity: Quantity,
    factor: f64,
    offset: f64,
}

const fn unit(symbol: &'static str, name: &'static str, quantity: Quantity, factor: f64) -> Known {
    Known {
        symbol,
        name,
        quantity,
        factor,
        offset: 0.0,
    }
}

const fn degrees(symbol: &'static str, name: &'static str, factor: f64, offset: f64) -> Known {
    Known {
        symbol,
        name,
        quantity: Quantity::Temperature,
        factor,
        offset,
    }
}

/// Base units: metre, kilogram, kelvin, second, byte.
const KNOWN: [Known; 34] = [
    unit("mm", "millimetre", Quantity::Length, 0.001),
    unit("cm", "centimetre", Quantity::Length, 0.01),
    unit("m", "metre", Quantity::Length, 1.0),
    unit("km", "kilometre", Quantity::Length, 1000.0),
    unit("in", "inch", Quantity::Length, 0.0254),
    unit("ft", "foot", Quantity::Length, 0.3048),
    unit("yd", "yard", Quantity::Length, 0.9144),
    unit("mi", "mile", Quantity::Length, 1609.344),
    unit("nmi", "nautical mile", Quantity::Length, 1852.0),
    unit("g", "gram", Quantity::Mass, 0.001),
    unit("kg", "kilogram", Quantity::Mass, 1.0),
    unit("t", "tonne", Quantity::Mass, 1000.0),
    unit("oz", "ounce", Quantity::Mass, 0.028349523125),
    unit("lb", "pound", Quantity::Mass, 0.45359237),
    unit("st", "stone", Quantity::Mass, 6.35029318),
    degrees("K", "kelvin", 1.0, 0.0),
    degrees("C", "degree Celsius", 1.0, 273.15),
    degrees("F", "degree Fahrenheit", 5.0 / 9.0, 459.67 * 5.0 / 9.0),
    unit("ms", "millisecond", Quantity::Time, 0.001),
    unit("s", "second", Quantity::Time, 1.0),
    unit("min", "minute", Quantity::Time, 60.0),
    unit("h", "hour", Quantity::Time, 3600.0),
    unit("d", "day", Quantity::Time, 86_400.0),
    unit("wk", "week", Quantity::Time, 604_800.0),
    unit("bit", "bit", Quantity::Data, 0.125),
    unit("B", "byte", Quantity::Data, 1.0),
    unit("kB", "kilobyte", Quantity::Data, 1e3),
    unit("MB", "megabyte", Quantity::Data, 1e6),
    unit("GB", "gigabyte", Quantity::Data, 1e9),
    unit("TB", "terabyte", Quantity::Data, 1e12),
    unit("KiB", "kibibyte", Quantity::Data, 1024.0),
    unit("MiB", "mebibyte", Quantity::Data, 1_048_576.0),
    unit("GiB", "gibibyte", Quantity::Data, 1_073_741_824.0),
    unit("TiB", "tebibyte", Quantity::Data, 1_099_511_627_776.0),
];

impl Guest for Units {
    fn convert(value: f64, from: String, to: String) -> Result<f64, Refusal> {
        let from = find(from)?;
        let to = find(to)?;
        if from.quantity != to.quantity {
            return Err(Refusal::Mismatch((from.quantity, to.quantity)));
        }
        Ok((value * from.factor + from.offset - to.offset) / to.factor)
    }

    fn units(of: Option<Quantity>) -> Vec<Unit> {
        KNOWN
            .iter()
            .filter(|known| of.is_none_or(|quantity| quantity == known.quantity))
            .map(|known| Unit {
                symbol: known.symbol.to_owned(),
                name: known.name.to_owned(),
                quantity: known.quantity,
            })
            .collect()
    }
}

fn find(symbol: String) -> Result<&'static Known, Refusal> {
    let known = KNOWN.iter().find(|known| known.symbol == symbol);
    known.ok_or(Refusal::UnknownUnit(symbol))
}
