//! Formats the changes of another version as text.

use crate::service::{Change, Changes, ToolChange};

/// One line for each change, indented.
pub fn table(changes: &Changes) -> String {
    if changes.is_empty() {
        return "  only code changed".into();
    }
    let mut lines = Vec::new();
    let mut add = |sign: &str, what: &str, names: &[String]| {
        lines.extend(names.iter().map(|name| format!("  {sign} {what} {name}")));
    };
    add("+", "tool", &changes.tools_added);
    add("-", "tool", &changes.tools_removed);
    add("+", "imports", &changes.imports_added);
    add("-", "imports", &changes.imports_removed);
    for (sign, permissions) in [
        ("+", &changes.permissions_added),
        ("-", &changes.permissions_removed),
    ] {
        let asks = permissions.iter();
        lines.extend(asks.map(|one| format!("  {sign} asks to {}", one.description)));
    }
    lines.extend(changes.tools_changed.iter().flat_map(tool));
    if let Some(Change { before, now }) = &changes.trust {
        lines.push(format!("  ~ trust: {before} before, {now} now"));
    }
    lines.join("\n")
}

fn tool(change: &ToolChange) -> Vec<String> {
    let name = &change.name;
    let mut lines = Vec::new();
    for (part, differs) in [
        ("arguments", change.input_schema.is_some()),
        ("result", change.output_schema.is_some()),
    ] {
        if differs {
            lines.push(format!("  ~ tool {name}: other {part}"));
        }
    }
    if let Some(Change { before, now }) = &change.description {
        lines.push(format!("  ~ tool {name}: description"));
        lines.extend(quoted('-', before));
        lines.extend(quoted('+', now));
    }
    lines
}

/// Descriptions are shown in full, because agents read them.
fn quoted(sign: char, text: &str) -> impl Iterator<Item = String> {
    text.lines().map(move |line| format!("      {sign} {line}"))
}
