use std::io::{self, IsTerminal, Read};

use clap::{Args, Subcommand};
use console::Term;
use zeroize::Zeroizing;

use crate::error::{Class, Diagnose};
use crate::reference::ComponentId;
use crate::secret::{SHORTEST, Secret as Value};
use crate::service::{SecretList, SecretNames, Values};
use crate::store::secrets::MAX_TOTAL;
use crate::store::{SecretError, SecretKey};
use crate::text::without_bom;

use super::output::{self, Present};
use super::table::pairs as pairs_of;
use super::terminal::{line, unseen_line};
use super::{Failure, Global, Opening};

/// Keep secrets, such as API keys, for a component
#[derive(Args)]
#[command(after_help = "\
A component sees a secret as an environment variable, once it is granted the
key. Secrets are kept in `secrets/` in the root, which only its owner can read,
and can be set before the component is loaded.")]
pub struct Secret {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Set(Set),
    List(List),
    Delete(Delete),
}

/// Set secrets of a component
#[derive(Args)]
#[command(after_help = "\
Values are asked for on a terminal. From a pipe, the value of a single key is
all of standard input but a newline at its end; those of several keys are its
lines, in the order of the keys.

Examples:
  wassette secret set weather OPENWEATHER_API_KEY
  wassette secret set weather TLS_KEY < key.pem")]
struct Set {
    /// Id of the component, installed or not
    id: ComponentId,

    /// Name of a secret; with its value, other users of this machine may see it
    #[arg(required = true, value_name = "KEY[=VALUE]")]
    secrets: Vec<Assignment>,
}

/// Show which secrets a component has
#[derive(Args)]
struct List {
    /// Id of the component, installed or not
    id: ComponentId,

    /// Show the values too; asks first
    #[arg(long)]
    show_values: bool,

    /// Do not ask
    #[arg(short, long, requires = "show_values")]
    yes: bool,
}

/// Delete secrets of a component
#[derive(Args)]
struct Delete {
    /// Id of the component, installed or not
    id: ComponentId,

    #[arg(required = true, value_name = "KEY")]
    keys: Vec<SecretKey>,
}

/// `KEY` or `KEY=VALUE`. Parsed later, because clap's errors would show the value.
#[derive(Clone)]
struct Assignment {
    key: String,
    value: Option<Value>,
}

impl From<String> for Assignment {
    fn from(text: String) -> Self {
        match text.split_once('=') {
            Some((key, value)) => Assignment {
                key: key.to_owned(),
                value: Some(value.into()),
            },
            None => Assignment {
                key: text,
                value: None,
            },
        }
    }
}

/// The reason why a command about secrets failed.
#[derive(Debug, thiserror::Error)]
enum SecretInputError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("The value cannot be read")]
    Read(#[source] io::Error),
    #[error("Standard input has {found} lines for {wanted} secrets")]
    Lines { wanted: usize, found: usize },
    #[error("Showing the values needs a confirmation")]
    NotConfirmed,
}

fn is_interrupt(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

impl Diagnose for SecretInputError {
    fn code(&self) -> &'static str {
        match self {
            SecretInputError::Secret(error) => error.code(),
            SecretInputError::Read(error) if is_interrupt(error) => "interrupted",
            SecretInputError::Read(_) | SecretInputError::Lines { .. } => "missing-secret-value",
            SecretInputError::NotConfirmed => "not-confirmed",
        }
    }

    fn class(&self) -> Class {
        match self {
            SecretInputError::Secret(error) => error.class(),
            SecretInputError::Read(error) if is_interrupt(error) => Class::Interrupted,
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SecretInputError::Secret(error) => error.hint(),
            SecretInputError::Read(_) => None,
            SecretInputError::Lines { .. } => {
                Some("give each secret a line, in the order of the keys".into())
            }
            SecretInputError::NotConfirmed => {
                Some("without a terminal, `--yes` says that they may be shown".into())
            }
        }
    }
}

impl Secret {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self.verb {
            Verb::Set(set) => set.run(global),
            Verb::List(list) => list.run(global),
            Verb::Delete(delete) => delete.run(global),
        }
    }
}

impl Set {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let secrets = values(self.secrets)?;
        for (key, value) in &secrets {
            if value.expose().len() < SHORTEST {
                tracing::warn!(
                    "`{key}` is too short to be told from other text and is not redacted"
                );
            }
        }
        let set = service.set_secrets(&self.id, secrets)?;
        if !service.is_installed(&self.id) {
            tracing::warn!("no component `{}` is installed yet", self.id);
        }
        output::print(
            &Done {
                verb: "Set",
                names: set,
            },
            global.output,
        )?;
        Ok(())
    }
}

impl List {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let values = match self.show_values {
            true if self.yes || confirmed()? => Values::Shown,
            true => return Err(SecretInputError::NotConfirmed.into()),
            false => Values::Hidden,
        };
        let list = service.list_secrets(&self.id, values)?;
        output::print(&list, global.output)?;
        Ok(())
    }
}

impl Delete {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let deleted = service.delete_secrets(&self.id, self.keys)?;
        let done = Done {
            verb: "Deleted",
            names: deleted,
        };
        output::print(&done, global.output)?;
        Ok(())
    }
}

/// The given values, and those of the other keys from standard input.
fn values(assignments: Vec<Assignment>) -> Result<Vec<(SecretKey, Value)>, SecretInputError> {
    let named = assignments.into_iter().map(|Assignment { key, value }| {
        let key: SecretKey = key.parse()?;
        Ok((key, value))
    });
    let assignments: Vec<(SecretKey, Option<Value>)> = named.collect::<Result<_, SecretError>>()?;
    let bare = assignments.iter().filter(|(_, value)| value.is_none());
    let bare: Vec<&SecretKey> = bare.map(|(key, _)| key).collect();
    if bare.len() < assignments.len() {
        tracing::warn!(
            "a value on the command line stays in the shell's history and can be seen by other \
             users of this machine"
        );
    }
    let mut read = match bare.as_slice() {
        [] => Vec::new(),
        keys if io::stdin().is_terminal() => prompted(keys)?,
        keys => piped(keys.len())?,
    }
    .into_iter();
    let filled = assignments.into_iter().map(|(key, value)| {
        // `read` has a value for each key without one.
        let value = value.or_else(|| read.next()).unwrap_or_default();
        (key, value)
    });
    Ok(filled.collect())
}

fn prompted(keys: &[&SecretKey]) -> Result<Vec<Value>, SecretInputError> {
    let ask = |key: &&SecretKey| {
        let typed = unseen_line(&format!("Value of {key}: "));
        typed.map(Value::from).map_err(SecretInputError::Read)
    };
    keys.iter().map(ask).collect()
}

fn piped(wanted: usize) -> Result<Vec<Value>, SecretInputError> {
    let mut text = Zeroizing::new(String::new());
    let stdin = io::stdin().lock().take(2 * MAX_TOTAL as u64);
    { stdin }
        .read_to_string(&mut text)
        .map_err(SecretInputError::Read)?;
    let text = without_bom(&text);
    if wanted == 1 {
        let text = text.strip_suffix('\n').unwrap_or(text);
        return Ok(vec![text.strip_suffix('\r').unwrap_or(text).into()]);
    }
    let lines: Vec<Value> = text.lines().map(Value::from).collect();
    match lines.len() {
        found if found == wanted => Ok(lines),
        found => Err(SecretInputError::Lines { wanted, found }),
    }
}

/// Asks on a terminal; without one the answer is no.
fn confirmed() -> Result<bool, SecretInputError> {
    let terminal = Term::stderr();
    if !io::stdin().is_terminal() || !terminal.is_term() {
        return Ok(false);
    }
    let asked = terminal.write_str("Show the values of the secrets on this screen? [y/N] ");
    let answer = asked.and_then(|()| line());
    let answer = answer.map_err(SecretInputError::Read)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The outcome of setting or deleting secrets.
#[derive(serde::Serialize)]
struct Done {
    #[serde(skip)]
    verb: &'static str,
    #[serde(flatten)]
    names: SecretNames,
}

impl Present for Done {
    fn table(&self) -> String {
        let SecretNames { component_id, keys } = &self.names;
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        format!("{} {} of `{component_id}`", self.verb, keys.join(", "))
    }
}

impl Present for SecretList {
    fn table(&self) -> String {
        if self.secrets.is_empty() {
            return format!("`{}` has no secrets", self.component_id);
        }
        let secrets = self.secrets.iter();
        if self.secrets.iter().all(|secret| secret.value.is_none()) {
            let names: Vec<String> = secrets.map(|secret| secret.key.to_string()).collect();
            return names.join("\n");
        }
        let pairs: Vec<(&str, String)> = secrets
            .map(|secret| {
                let value = secret.value.clone().unwrap_or_default();
                (secret.key.as_str(), value)
            })
            .collect();
        pairs_of(&pairs)
    }
}
