//! Lists the existing tags when the requested one is missing.

use std::cmp::Reverse;

use crate::text::nearest;

/// Most tags that are listed.
const NAMED: usize = 20;

/// The tags, the newest version first, and the number of further ones.
pub(super) fn listed(tags: &[String]) -> String {
    // Tags that hold signatures and the like are not versions.
    let mut versions: Vec<&str> = tags.iter().map(String::as_str).collect();
    versions.retain(|tag| !tag.starts_with("sha256-"));
    versions.sort_by_cached_key(|tag| Reverse(parts(tag)));
    let more = versions.len().saturating_sub(NAMED);
    versions.truncate(NAMED);
    match (&*versions, more) {
        ([], _) => "none".to_owned(),
        (named, 0) => named.join(", "),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

pub(super) fn hint(absent: &str, tags: &[String]) -> String {
    match &*nearest(absent, tags.iter().map(String::as_str)) {
        [] => "give one of the tags that there are".to_owned(),
        near => format!("did you mean `{}`?", near.join("` or `")),
    }
}

/// A part of a tag; numbers are compared as numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(u64),
    Text(&'a str),
}

fn parts(tag: &str) -> Vec<Part<'_>> {
    let is_digit = |c: char| c.is_ascii_digit();
    tag.split_inclusive(|c| !is_digit(c))
        .flat_map(|part| {
            let (number, rest) = part.split_at(part.find(|c| !is_digit(c)).unwrap_or(part.len()));
            let number = number.parse().ok().map(Part::Number);
            let rest = (!rest.is_empty()).then_some(Part::Text(rest));
            number.into_iter().chain(rest)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn the_newest_versions_stand_first() {
        let tags = owned(&["1.10.0", "1.2.0", "1.9.0", "latest", "sha256-ab.sig"]);
        assert_eq!(listed(&tags), "latest, 1.10.0, 1.9.0, 1.2.0");
        assert_eq!(listed(&owned(&["sha256-ab"])), "none");
        let many: Vec<String> = (0..25).map(|n| format!("v{n}")).collect();
        let told = listed(&many);
        assert!(told.starts_with("v24, v23"), "{told}");
        assert!(told.ends_with("v5 and 5 more"), "{told}");
    }

    #[test]
    fn near_tags_are_offered() {
        let tags = owned(&["v1.2.0", "v2.0.0", "latest"]);
        assert!(hint("v1.2", &tags).contains("`v1.2.0`"));
        assert_eq!(hint("stable", &tags), "give one of the tags that there are");
    }
}
