//! Tools that convert units, durations and Roman numerals.

mod duration;
mod measure;
mod roman;

wit_bindgen::generate!({ world: "units", path: "wit" });

struct Units;

export!(Units);

impl Guest for Units {
    fn to_roman(number: u16) -> Result<String, String> {
        roman::write(number)
    }

    fn from_roman(numeral: String) -> Result<u16, String> {
        roman::read(&numeral)
    }
}
