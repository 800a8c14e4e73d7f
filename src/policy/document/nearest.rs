//! The known word that was probably meant.

use crate::text::distance;

/// The nearest of `known`, if it is near enough to be a slip.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // Far longer than any key: no slip, and slow to compare.
    if word.len() > 40 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    known
        .iter()
        .map(|known| (distance(&word, known), *known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["network", "storage", "environment", "resources"];
        assert_eq!(nearest("netwrok", &known), Some("network"));
        assert_eq!(nearest("Storage", &known), Some("storage"));
        assert_eq!(nearest("enviroment", &known), Some("environment"));
        assert_eq!(nearest("ipc", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
