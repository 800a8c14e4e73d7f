//! Parser of the `WWW-Authenticate` header.
//!
//! The grammar is that of [RFC 9110][rfc]: one or more challenges separated by
//! commas, each a scheme with parameters that are separated by commas too.
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate

use http::{HeaderMap, header};

/// An authentication scheme that a registry requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AuthScheme {
    /// User name and password.
    Basic,
    /// A token from the token server that the challenge names.
    Bearer(Bearer),
}

/// The parameters of a `Bearer` challenge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bearer {
    pub realm: String,
    pub service: Option<String>,
    pub scope: Option<String>,
}

/// Selects the challenge to answer. `Bearer` is preferred, because a stolen
/// token does less harm than a stolen password.
pub(super) fn read(headers: &HeaderMap) -> Option<AuthScheme> {
    let all = headers.get_all(header::WWW_AUTHENTICATE);
    let texts = || all.iter().filter_map(|value| value.to_str().ok());
    if let Some(bearer) = texts().find_map(bearer) {
        return Some(AuthScheme::Bearer(bearer));
    }
    let basic = |(scheme, _): &(String, Bearer)| scheme == "basic";
    texts()
        .flat_map(challenges)
        .any(|challenge| basic(&challenge))
        .then_some(AuthScheme::Basic)
}

/// The first `Bearer` challenge with a realm in a header.
fn bearer(header: &str) -> Option<Bearer> {
    challenges(header)
        .into_iter()
        .find(|(scheme, challenge)| scheme == "bearer" && !challenge.realm.is_empty())
        .map(|(_, challenge)| challenge)
}

/// The challenges of a header, up to the first that does not parse. Each has
/// its scheme in lower case, and the parameters that `Bearer` uses.
fn challenges(header: &str) -> Vec<(String, Bearer)> {
    let mut complete = Vec::new();
    let mut current: Option<(String, Bearer)> = None;
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            complete.extend(current);
            return complete;
        }
        let Some((name, after)) = token(rest) else {
            return complete;
        };
        let name = name.to_ascii_lowercase();
        let value = after.trim_start_matches([' ', '\t']);
        let Some(value) = value.strip_prefix('=') else {
            // A new scheme ends the previous challenge.
            complete.extend(current.replace((name, Bearer::default())));
            rest = after_token68(after).unwrap_or(after);
            continue;
        };
        let Some((value, after)) = parameter(value.trim_start_matches([' ', '\t'])) else {
            return complete;
        };
        if let Some((_, challenge)) = &mut current {
            match name.as_str() {
                "realm" => challenge.realm = value,
                "service" => challenge.service = Some(value),
                "scope" => challenge.scope = Some(value),
                _ => {}
            }
        }
        rest = after;
    }
}

/// Skips the single value (`token68`), such as `YII=`, that some schemes have
/// instead of parameters, and returns the rest; `None` if there is no such
/// value.
fn after_token68(text: &str) -> Option<&str> {
    let value = text.trim_start_matches([' ', '\t']);
    let is_of_it = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let after = value.trim_start_matches(is_of_it).trim_start_matches('=');
    let after = after.trim_start_matches([' ', '\t']);
    (after.is_empty() || after.starts_with(',')).then_some(after)
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

    #[test]
    fn the_challenge_to_answer() {
        let read_all = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("www-authenticate", value.parse().expect("a header"));
            }
            read(&headers)
        };
        let token = "Bearer realm=\"https://r/token\"";
        for values in [
            &["Basic realm=\"r\"", token][..],
            &[token],
            &["Basic realm=r, Bearer realm=\"https://r/token\""],
            &["Negotiate, Bearer realm=\"https://r/token\""],
            &["Negotiate YII+/a==, Bearer realm=\"https://r/token\""],
            &["NTLM TlRM , Negotiate oQ= ,Bearer realm=\"https://r/token\""],
        ] {
            assert!(
                matches!(read_all(values), Some(AuthScheme::Bearer(_))),
                "{values:?}"
            );
        }
        for values in [
            &["basic"][..],
            &["Basic realm=\"Bearer\""],
            &["Negotiate, Basic realm=r"],
        ] {
            assert_eq!(read_all(values), Some(AuthScheme::Basic), "{values:?}");
        }
        assert_eq!(read_all(&["Negotiate"]), None);
        assert_eq!(read_all(&[]), None);
    }

    proptest! {
        #[test]
        fn no_header_panics(header in any::<String>()) {
            let _ = challenges(&header);
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
