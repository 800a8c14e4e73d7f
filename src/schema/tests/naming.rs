//! Tool names.

use proptest::prelude::*;

use super::described;
use crate::schema::{ExportPath, MAX_TOOL_NAME, tool_names};

fn path(text: &str) -> ExportPath {
    match text.split_once('#') {
        Some((interface, function)) => ExportPath {
            interface: Some(interface.to_owned()),
            function: function.to_owned(),
        },
        None => ExportPath {
            interface: None,
            function: text.to_owned(),
        },
    }
}

fn names(paths: &[&str]) -> Vec<String> {
    let paths: Vec<_> = paths.iter().map(|text| path(text)).collect();
    tool_names(&paths)
}

#[test]
fn names_say_where_a_function_is() {
    assert_eq!(
        names(&[
            "get-weather",
            "local:time-server/time@0.1.0#get-current-time",
            "api#run"
        ]),
        [
            "get-weather",
            "local_time-server_time_get-current-time",
            "api_run"
        ]
    );
}

#[test]
fn versions_tell_apart_what_would_be_the_same() {
    let description = described(
        "package top:level;
         package t:alpha@1.0.0 { interface api { run: func(); } }
         package t:alpha@2.0.0-rc.1 { interface api { run: func(); } }
         world w { export t:alpha/api@1.0.0; export t:alpha/api@2.0.0-rc.1; export other: func(); }",
    );
    let tools = description.tools().unwrap();
    let mut names: Vec<_> = tools
        .iter()
        .map(|tool| tool.normalized_name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "other",
            "t_alpha_api_1-0-0_run",
            "t_alpha_api_2-0-0-rc-1_run"
        ]
    );
}

#[test]
fn long_names_end_in_a_hash_of_the_path() {
    let long = format!("{}:{}/api@1.0.0#run", "n".repeat(40), "p".repeat(40));
    let other = long.replace("1.0.0", "1.0.1");
    let found = names(&[&long]);
    assert_eq!(found[0].len(), MAX_TOOL_NAME);
    assert!(found[0].starts_with("nnnn"), "{}", found[0]);
    // The hash is the same whether it is alone, first or last.
    assert_eq!(names(&["b", &long])[1], found[0]);
    let both = names(&[&other, &long]);
    assert_ne!(both[0], both[1]);
    assert_eq!(both[1][MAX_TOOL_NAME - 8..], found[0][MAX_TOOL_NAME - 8..]);
}

#[test]
fn names_that_still_collide_are_hashed() {
    let found = names(&["a:b/c@1.0.0-x.y#f", "a:b/c@1.0.0-x-y#f"]);
    assert!(found[0].starts_with("a_b_c_1-0-0-x-y_f_"), "{}", found[0]);
    assert_ne!(found[0], found[1]);
}

proptest! {
    #[test]
    fn names_are_distinct_and_allowed(
        paths in prop::collection::hash_set("([a-c]:[a-c]/[a-z-]{1,40}(@[0-2](\\.0|-0|\\+0){0,2})?#)?[a-c_.]{1,40}", 1..20)
    ) {
        let mut texts: Vec<String> = paths.into_iter().collect();
        texts.sort();
        let paths: Vec<_> = texts.iter().map(|text| path(text)).collect();
        let found = tool_names(&paths);
        for name in &found {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            prop_assert!(name.len() <= MAX_TOOL_NAME && name.chars().all(allowed), "{name}");
        }
        let distinct: std::collections::HashSet<_> = found.iter().collect();
        prop_assert_eq!(distinct.len(), found.len());

        // The order of the exports does not matter.
        let reversed: Vec<_> = paths.iter().rev().cloned().collect();
        let mut again = tool_names(&reversed);
        again.reverse();
        prop_assert_eq!(again, found);
    }
}
