//! Finds names in another spelling: models write `maxCount` or `max_count` for `max-count`.

use std::collections::HashMap;

/// Declared names, compared by letters and digits only.
pub struct Spellings {
    /// The index of a name; `None` if several names have the same letters.
    by_letters: HashMap<String, Option<usize>>,
}

impl Spellings {
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut by_letters: HashMap<_, Option<usize>> = HashMap::new();
        for (index, name) in names.into_iter().enumerate() {
            let same = by_letters.entry(letters(name.as_ref()));
            same.and_modify(|known| *known = None)
                .or_insert(Some(index));
        }
        Spellings { by_letters }
    }

    /// Returns the index of the only name that differs from `given` just in case, hyphens and
    /// underscores.
    pub fn meant(&self, given: &str) -> Option<usize> {
        *self.by_letters.get(&letters(given))?
    }
}

fn letters(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '-' | '_'));
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_means_a_name_if_just_one_has_its_letters() {
        let spellings = Spellings::new(["max-count", "id", "a-b", "ab"]);
        for spelled in [
            "max-count",
            "maxCount",
            "max_count",
            "MAX-COUNT",
            "MaxCount",
        ] {
            assert_eq!(spellings.meant(spelled), Some(0), "{spelled}");
        }
        for other in ["A_B", "maximum", "", "--", "max count"] {
            assert_eq!(spellings.meant(other), None, "{other}");
        }
    }
}
