//! Roman numerals in their usual form, 1 to 3999.

const SYMBOLS: [(u16, &str); 13] = [
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
];

pub fn write(number: u16) -> Result<String, String> {
    if !(1..=3999).contains(&number) {
        return Err(format!("{number} is not between 1 and 3999"));
    }
    let mut rest = number;
    let mut numeral = String::new();
    for (value, symbol) in SYMBOLS {
        while rest >= value {
            numeral += symbol;
            rest -= value;
        }
    }
    Ok(numeral)
}

pub fn read(numeral: &str) -> Result<u16, String> {
    let mut rest = numeral;
    let mut number = 0u16;
    for (value, symbol) in SYMBOLS {
        // A letter occurs at most three times; a fourth is refused below.
        for _ in 0..4 {
            let Some(after) = rest.strip_prefix(symbol) else {
                break;
            };
            number += value;
            rest = after;
        }
    }
    // Only the usual form of a number reads back as the same text.
    match write(number) {
        Ok(usual) if usual == numeral => Ok(number),
        _ => Err(format!(
            "`{numeral}` is not a Roman numeral in its usual form"
        )),
    }
}
