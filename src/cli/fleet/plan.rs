//! Formats a plan for people.

use crate::cli::changes;
use crate::cli::output::Present;
use crate::install::{Action, GrantChanges, Plan, Planned};
use crate::schema::rules::{RuleChange, RuleEffect};
use crate::text::line;

use serde::Serialize;

/// The outcome of a plan.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub status: Status,
    #[serde(flatten)]
    pub plan: Plan,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The path of the lock, if it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_written: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing needed to change.
    Unchanged,
    /// The changes were only shown.
    Planned,
    Applied,
}

impl Present for Outcome {
    fn table(&self) -> String {
        let mut lines = Vec::new();
        let plan = text(&self.plan);
        if self.status == Status::Planned && !plan.is_empty() {
            lines.push(plan);
        }
        lines.push(match self.status {
            Status::Unchanged => format!(
                "No changes: {} as the manifest says.",
                match self.plan.components.len() {
                    1 => "the one component is".into(),
                    n => format!("all {n} components are"),
                }
            ),
            Status::Planned if self.plan.is_done() => "No changes.".into(),
            Status::Planned => "Nothing was done.".into(),
            Status::Applied => format!("Done: {}.", counts(&self.plan, TENSE_DONE)),
        });
        if let Some(path) = &self.lock_written {
            lines.push(format!("Wrote {path}."));
        }
        lines.join("\n")
    }
}

/// The word for each count of a plan.
type Tense = [(Action, &'static str); 5];

const TENSE_TO_DO: Tense = [
    (Action::Install, "to install"),
    (Action::Replace, "to replace"),
    (Action::Regrant, "to grant other permissions"),
    (Action::ChangeTools, "to offer other tools"),
    (Action::Remove, "to remove"),
];

const TENSE_DONE: Tense = [
    (Action::Install, "installed"),
    (Action::Replace, "replaced"),
    (Action::Regrant, "granted other permissions"),
    (Action::ChangeTools, "with other tools"),
    (Action::Remove, "removed"),
];

/// The plan as text: the changes, and how many components stay.
pub fn text(plan: &Plan) -> String {
    let changing = plan.components.iter();
    let changing = changing.filter(|one| one.action != Action::Keep || one.note.is_some());
    let mut parts: Vec<String> = changing.map(planned).collect();
    for failure in &plan.failures {
        parts.push(format!(
            "! {}: {}",
            failure.component_id, failure.error.message
        ));
    }
    let kept = match plan.count(Action::Keep) {
        0 => String::new(),
        n => format!("; {n} as it should be"),
    };
    if !plan.is_done() {
        parts.push(format!("Plan: {}{kept}.", counts(plan, TENSE_TO_DO)));
    }
    parts.join("\n\n")
}

fn counts(plan: &Plan, tense: Tense) -> String {
    let counted = tense.map(|(action, said)| (plan.count(action), said));
    let counted = counted.iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = counted
        .map(|(count, said)| format!("{count} {said}"))
        .collect();
    match said.is_empty() {
        true => "nothing to do".into(),
        false => said.join(", "),
    }
}

fn planned(one: &Planned) -> String {
    let (sign, verb) = match one.action {
        Action::Install => ("+", "is installed"),
        Action::Replace => ("~", "is replaced"),
        Action::Regrant => ("~", "is granted other permissions"),
        Action::ChangeTools => ("~", "offers its tools otherwise"),
        Action::Keep => ("=", "stays"),
        Action::Remove => ("-", "is removed"),
    };
    let mut lines = vec![format!("{sign} {} {verb}", one.component_id)];
    if matches!(
        one.action,
        Action::Install | Action::Replace | Action::Remove
    ) {
        lines.push(format!("  from {}", one.source));
        lines.push(format!("  digest {}", one.digest));
    }
    if one.action == Action::Install && !one.tools.is_empty() {
        lines.push(format!("  tools {}", one.tools.join(", ")));
    }
    if let Some(changes) = &one.changes {
        lines.push(changes::table(changes));
    }
    lines.extend(one.tool_rules.iter().map(rule));
    lines.extend(grants(&one.grants));
    let asked = one.not_granted.iter();
    lines.extend(asked.map(|asked| format!("  asks for, not granted: {}", asked.description)));
    lines.extend(one.note.iter().map(|note| format!("  note: {note}")));
    lines.join("\n")
}

fn rule(RuleChange { tool, effect }: &RuleChange) -> String {
    match effect {
        RuleEffect::Hidden => format!("  - tool {tool} is hidden"),
        RuleEffect::Offered => format!("  + tool {tool} is offered again"),
        RuleEffect::Renamed { name: Some(name) } => format!("  ~ tool {tool} is called {name}"),
        RuleEffect::Renamed { name: None } => format!("  ~ tool {tool} has its own name again"),
        RuleEffect::Described {
            description: Some(text),
        } => {
            format!("  ~ tool {tool} is described as: {}", line(text))
        }
        RuleEffect::Described { description: None } => {
            format!("  ~ tool {tool} has its own description again")
        }
        RuleEffect::Default {
            argument,
            value: Some(value),
        } => {
            format!("  ~ tool {tool} gets {argument} = {value} unless a call says otherwise")
        }
        RuleEffect::Default {
            argument,
            value: None,
        } => {
            format!("  ~ tool {tool} has no default for {argument} any more")
        }
        RuleEffect::Fixed { argument } => {
            format!("  - tool {tool} always gets a fixed {argument}, which agents do not see")
        }
        RuleEffect::NoLongerFixed { argument } => {
            format!("  + tool {tool} takes {argument} from agents again")
        }
    }
}

fn grants(changes: &GrantChanges) -> Vec<String> {
    let mut lines = Vec::new();
    for (sign, what, permissions) in [
        ("+", "may", &changes.added),
        ("-", "may", &changes.removed),
        ("+", "is denied to", &changes.denials_added),
        ("-", "is denied to", &changes.denials_removed),
    ] {
        let said = permissions.iter();
        lines.extend(said.map(|one| format!("  {sign} {what} {}", one.description)));
    }
    lines
}
