//! The `WWW-Authenticate` header. Pure.
//!
//! The grammar is that of [RFC 9110][rfc]: one or more challenges, each a
//! scheme with parameters, all separated by commas.
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate

/// A `Bearer` challenge, as registries give it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bearer {
    pub realm: String,
    pub service: Option<String>,
    pub scope: Option<String>,
}

/// The first `Bearer` challenge with a realm in a header.
pub(super) fn bearer(header: &str) -> Option<Bearer> {
    let mut rest = header;
    let mut found: Option<Bearer> = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (name, after) = token(rest)?;
        let value = after.trim_start_matches([' ', '\t']);
        if let Some(value) = value.strip_prefix('=') {
            let (value, after) = parameter(value.trim_start_matches([' ', '\t']))?;
            if let Some(bearer) = &mut found {
                match name.to_ascii_lowercase().as_str() {
                    "realm" => bearer.realm = value,
                    "service" => bearer.service = Some(value),
                    "scope" => bearer.scope = Some(value),
                    _ => {}
                }
            }
            rest = after;
        } else {
            // A new scheme ends the challenge before it.
            if let Some(bearer) = found.take_if(|bearer| !bearer.realm.is_empty()) {
                return Some(bearer);
            }
            found = name.eq_ignore_ascii_case("bearer").then(Bearer::default);
            rest = after;
        }
        if rest.trim_matches([' ', '\t', ',']).is_empty() {
            return found.filter(|bearer| !bearer.realm.is_empty());
        }
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A token or a quoted string.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bearer_challenge_is_found() {
        let ghcr =
            r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull""#;
        let expected = Bearer {
            realm: "https://ghcr.io/token".to_owned(),
            service: Some("ghcr.io".to_owned()),
            scope: Some("repository:a/b:pull".to_owned()),
        };
        assert_eq!(bearer(ghcr), Some(expected.clone()));
        assert_eq!(
            bearer(&format!("Basic realm=\"r, Bearer\", {ghcr}")),
            Some(expected.clone())
        );
        assert_eq!(bearer(&format!("{ghcr}, Basic realm=r")), Some(expected));
    }

    #[test]
    fn odd_spellings() {
        let odd = bearer(r#"bEARER  Realm = "a\"b" , error=x,"#).expect("a realm");
        assert_eq!(odd.realm, "a\"b");
        for none in [
            "",
            "Basic",
            "Bearer",
            "Bearer realm",
            "Bearer realm=\"x",
            "Basic realm=x",
            "=",
            "Bearer realm=\"\"",
        ] {
            assert_eq!(bearer(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(header in any::<String>()) {
            let _ = bearer(&header);
        }

        #[test]
        fn whatever_is_quoted_comes_back(realm in "[^\\pC]{1,20}", scope in "[^\\pC]{0,20}") {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{}\",scope=\"{}\"", quote(&realm), quote(&scope));
            let expected = Bearer { realm, service: None, scope: Some(scope) };
            prop_assert_eq!(bearer(&header), Some(expected));
        }
    }
}
