//! `call`: one tool, one fresh instance.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::runtime::Returned;

use super::{Error, Service};

/// How many near names an error offers.
const SUGGESTIONS: usize = 3;

impl Service {
    /// Calls a tool. Dropping the future cancels the call.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTool`], or the error of compiling or calling.
    pub async fn call(
        self: &Arc<Self>,
        tool: &str,
        args: &Map<String, Value>,
    ) -> Result<Returned, Error> {
        let Some(tool) = self.toolbox.get(tool) else {
            return Err(self.unknown_tool(tool));
        };
        let program = self.program(&tool.component)?;
        let sandbox = self.sandbox(&tool.component).await?;
        let called = program.call(&tool.record.export, args, &sandbox).await;
        Ok(called.outcome?)
    }

    fn unknown_tool(&self, name: &str) -> Error {
        let tools = self.toolbox.list();
        let mut near: Vec<(usize, &str)> = tools
            .iter()
            .map(|tool| (distance(name, &tool.name), tool.name.as_str()))
            .filter(|(distance, _)| *distance <= name.len() / 3 + 1)
            .collect();
        near.sort_unstable();
        Error::UnknownTool {
            name: name.chars().take(128).collect(),
            similar: near
                .into_iter()
                .take(SUGGESTIONS)
                .map(|(_, name)| name.to_owned())
                .collect(),
        }
    }
}

/// Levenshtein distance in bytes; names are ASCII.
fn distance(a: &str, b: &str) -> usize {
    // Tool names have at most 64 bytes; more of `a` cannot be near any.
    let a = &a.as_bytes()[..a.len().min(128)];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(*x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
