use std::fmt;

use crate::text::nearest;

/// A rule that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// The key of the rule, such as `allow` or `rename`.
    pub rule: &'static str,
    /// The tool that the rule names.
    pub tool: String,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    NoTool {
        similar: Option<String>,
        known: Vec<String>,
    },
    NoArgument {
        argument: String,
        similar: Option<String>,
        known: Vec<String>,
    },
    /// The value does not match the argument's schema.
    Value { argument: String, reason: String },
    /// The new name is not a valid tool name, or too long.
    Name { name: String, longest: usize },
    /// Another tool has the name.
    Taken { name: String, by: String },
    /// With the rule, the tool's definition is too large.
    TooLarge { reason: String },
}

impl RuleFault {
    pub(super) fn no_tool(rule: &'static str, tool: &str, known: &[&str]) -> Self {
        let similar = nearest(tool, known.iter().copied()).first().copied();
        RuleFault {
            rule,
            tool: tool.to_owned(),
            problem: Problem::NoTool {
                similar: similar.map(str::to_owned),
                known: owned(known),
            },
        }
    }

    pub(super) fn no_argument(
        rule: &'static str,
        tool: &str,
        argument: &str,
        known: &[&str],
    ) -> Self {
        let similar = nearest(argument, known.iter().copied()).first().copied();
        RuleFault {
            rule,
            tool: tool.to_owned(),
            problem: Problem::NoArgument {
                argument: argument.to_owned(),
                similar: similar.map(str::to_owned),
                known: owned(known),
            },
        }
    }

    pub(crate) fn taken(tool: &str, name: &str, by: impl Into<String>) -> Self {
        RuleFault {
            rule: "rename",
            tool: tool.to_owned(),
            problem: Problem::Taken {
                name: name.to_owned(),
                by: by.into(),
            },
        }
    }

    pub(crate) fn name(tool: &str, name: &str, longest: usize) -> Self {
        RuleFault {
            rule: "rename",
            tool: tool.to_owned(),
            problem: Problem::Name {
                name: name.to_owned(),
                longest,
            },
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn hint(
    f: &mut fmt::Formatter<'_>,
    (similar, known): (&Option<String>, &[String]),
    what: &str,
) -> fmt::Result {
    match (similar, known) {
        (Some(similar), _) => write!(f, "; did you mean `{similar}`?"),
        (None, []) => write!(f, "; it has no {what}"),
        (None, known) => write!(f, "; its {what} are `{}`", known.join("`, `")),
    }
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RuleFault { rule, tool, .. } = self;
        match &self.problem {
            Problem::NoTool { similar, known } => {
                write!(
                    f,
                    "`{rule}` names `{tool}`, which is not a tool of the component"
                )?;
                hint(f, (similar, known), "tools")
            }
            Problem::NoArgument {
                argument,
                similar,
                known,
            } => {
                write!(
                    f,
                    "`{rule}` of `{tool}` names `{argument}`, which is not one of its arguments"
                )?;
                hint(f, (similar, known), "arguments")
            }
            Problem::Value { argument, reason } => {
                write!(
                    f,
                    "`{rule}` of `{tool}`: the value of `{argument}` does not match its schema: {reason}"
                )
            }
            Problem::Name { name, longest } => write!(
                f,
                "`{rule}` of `{tool}`: `{name}` is not a tool name; a tool name has 1 to {longest} \
                 letters, digits, `-` and `_`"
            ),
            Problem::Taken { name, by } => {
                write!(
                    f,
                    "`{rule}` of `{tool}`: the name `{name}` is taken by {by}"
                )
            }
            Problem::TooLarge { reason } => write!(f, "`{rule}` of `{tool}`: {reason}"),
        }
    }
}
