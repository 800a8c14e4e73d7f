//! `wassette.lock`: what a manifest resolved to, for people to review and for
//! `apply` to hold everything to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Entry;
use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::reference::ComponentId;
use crate::schema::ToolRecord;
use crate::text::without_bom;

/// Raised when a reader of the previous version would misread the file.
const VERSION: u32 = 1;

const HEADER: &str = "\
# What the manifest resolved to. `wassette apply` writes it when there is none and
# holds to it; `wassette lock` renews it. It belongs under version control.
";

/// The lock of one manifest, its components in the order of their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    #[serde(rename = "component", default)]
    components: Vec<Locked>,
}

/// What one entry resolved to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    pub name: ComponentId,
    /// As the manifest has it.
    pub uri: String,
    /// Of what the manifest's entry says.
    pub entry: Digest,
    /// Of the OCI manifest, or of the component where there is none.
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    #[serde(default)]
    pub imports: Vec<String>,
    /// The definition of each tool that is offered, by the name that it is
    /// offered under: name, description and schemas.
    #[serde(default)]
    pub tools: BTreeMap<String, Digest>,
    /// Of what the manifest says of its tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_rules: Option<Digest>,
    /// What the manifest grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Value>,
}

/// What is known of a component's content.
pub struct Content<'a> {
    pub digest: Digest,
    /// As it is shown.
    pub signer: Option<String>,
    pub imports: &'a [String],
    /// Those that are offered, as agents see them, but for the rules of this
    /// machine.
    pub tools: Vec<ToolRecord>,
}

impl Locked {
    pub fn new(entry: &Entry, content: &Content<'_>) -> Self {
        let mut imports = content.imports.to_vec();
        imports.sort_unstable();
        Locked {
            name: entry.id.clone(),
            uri: entry.written.uri.clone(),
            entry: entry.written.hash,
            digest: content.digest,
            signer: content.signer.clone(),
            imports,
            tools: content.tools.iter().map(tool).collect(),
            tool_rules: entry.written.tools,
            permissions: entry.written.permissions.clone(),
        }
    }

    /// The same content, under an entry that says something else, but the same
    /// of its tools.
    pub fn renewed(&self, entry: &Entry) -> Self {
        Locked {
            uri: entry.written.uri.clone(),
            entry: entry.written.hash,
            permissions: entry.written.permissions.clone(),
            ..self.clone()
        }
    }

    /// What of this content is not as it was locked, a line for each.
    pub fn differences(&self, content: &Content<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        if self.digest != content.digest {
            lines.push(format!("~ digest {}, now {}", self.digest, content.digest));
        }
        if self.signer != content.signer {
            let shown = |signer: &Option<String>| match signer {
                Some(signer) => format!("`{}`", signer.escape_debug()),
                None => "nobody".into(),
            };
            lines.push(format!(
                "~ signed by {}, now by {}",
                shown(&self.signer),
                shown(&content.signer)
            ));
        }
        let tools: BTreeMap<String, Digest> = content.tools.iter().map(tool).collect();
        for (name, digest) in &tools {
            match self.tools.get(name) {
                None => lines.push(format!("+ tool {name}")),
                Some(locked) if locked != digest => {
                    lines.push(format!("~ tool {name}: other description or schema"));
                }
                Some(_) => {}
            }
        }
        let gone = self.tools.keys().filter(|name| !tools.contains_key(*name));
        lines.extend(gone.map(|name| format!("- tool {name}")));
        let only = |of: &[String], than: &[String], sign: &str| {
            let only = of.iter().filter(|import| !than.contains(import));
            only.map(|import| format!("{sign} imports {import}"))
                .collect::<Vec<_>>()
        };
        lines.extend(only(content.imports, &self.imports, "+"));
        lines.extend(only(&self.imports, content.imports, "-"));
        lines
    }
}

/// A tool's name, and the digest of all that agents see of it.
fn tool(tool: &ToolRecord) -> (String, Digest) {
    let definition = sorted(json!({
        "name": tool.normalized_name,
        "description": tool.description,
        "input_schema": tool.input_schema,
        "output_schema": tool.output_schema,
    }));
    let digest = Digest::of(definition.to_string().as_bytes());
    (tool.normalized_name.clone(), digest)
}

/// The same data, its keys in order.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let entries = entries.into_iter().map(|(key, value)| (key, sorted(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        value => value,
    }
}

impl Lock {
    pub fn new(mut components: Vec<Locked>) -> Self {
        components.sort_by(|a, b| a.name.cmp(&b.name));
        Lock {
            version: VERSION,
            components,
        }
    }

    /// Reads the file; `path` is for messages.
    ///
    /// # Errors
    ///
    /// [`LockError::Invalid`] when it is not a lock, or not a whole one.
    pub fn parse(path: &str, text: &str) -> Result<Self, LockError> {
        let invalid = |problem: String| LockError::Invalid {
            path: path.to_owned(),
            problem,
        };
        let lock: Lock =
            toml::from_str(without_bom(text)).map_err(|error| invalid(error.to_string()))?;
        if lock.version != VERSION {
            let version = lock.version;
            return Err(invalid(format!("version {version} is not {VERSION}")));
        }
        let twice = lock
            .components
            .windows(2)
            .find(|two| two[0].name >= two[1].name);
        match twice {
            None => Ok(lock),
            Some(two) => Err(invalid(format!(
                "`{}` comes after `{}`: each component is there once, in the order of the names",
                two[1].name, two[0].name
            ))),
        }
    }

    /// The text of the file; [`Lock::parse`] reads it back as it was.
    pub fn to_text(&self) -> String {
        // Maps with text for keys, written to memory, without nulls.
        let text = toml::to_string_pretty(self).expect("a lock is plain data");
        format!("{HEADER}{text}")
    }

    pub fn get(&self, name: &ComponentId) -> Option<&Locked> {
        self.components.iter().find(|locked| locked.name == *name)
    }

    /// How the lock stands to the entries of a manifest.
    pub fn compare(&self, entries: &[Entry]) -> Standing {
        let named = |name: &ComponentId| entries.iter().any(|entry| entry.id == *name);
        Standing {
            changed: entries
                .iter()
                .filter(|entry| {
                    let locked = self.get(&entry.id);
                    locked.is_some_and(|locked| locked.entry != entry.written.hash)
                })
                .map(|entry| entry.id.clone())
                .collect(),
            missing: entries
                .iter()
                .filter(|entry| self.get(&entry.id).is_none())
                .map(|entry| entry.id.clone())
                .collect(),
            surplus: self
                .components
                .iter()
                .filter(|locked| !named(&locked.name))
                .map(|locked| locked.name.clone())
                .collect(),
            all: self.components.len(),
        }
    }
}

/// How a lock stands to a manifest.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Entries that say something else than when they were locked.
    pub changed: Vec<ComponentId>,
    /// Entries that are not in the lock.
    pub missing: Vec<ComponentId>,
    /// What is in the lock only.
    pub surplus: Vec<ComponentId>,
    /// Components in the lock.
    all: usize,
}

impl Standing {
    /// Whether the lock is of another manifest altogether.
    pub fn is_of_another(&self) -> bool {
        self.all > 0 && self.surplus.len() == self.all && !self.missing.is_empty()
    }

    /// Whether it is of this manifest as it is.
    pub fn is_exact(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.surplus.is_empty()
    }
}

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("The lock `{path}` cannot be read")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("`{path}` is not a valid lock: {problem}")]
    Invalid { path: String, problem: String },
    #[error("There is no lock `{path}`, and `--locked` needs one")]
    Missing { path: String },
    #[error("The lock `{path}` is of another manifest: it has none of the components of this one")]
    OfAnother { path: String, renew: String },
    #[error("The lock `{path}` does not fit the manifest: {}", told(standing))]
    Stale {
        path: String,
        standing: Standing,
        /// The command that renews it.
        renew: String,
    },
    #[error("The lock `{path}` cannot be written")]
    Write {
        path: String,
        source: std::io::Error,
    },
}

fn told(standing: &Standing) -> String {
    let part = |ids: &[ComponentId], what: &str| {
        let names: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
        (!names.is_empty()).then(|| format!("{} {what}", names.join(", ")))
    };
    let parts = [
        part(&standing.changed, "changed in the manifest"),
        part(&standing.missing, "only in the manifest"),
        part(&standing.surplus, "only in the lock"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

impl Diagnose for LockError {
    fn code(&self) -> &'static str {
        match self {
            LockError::Read { .. } | LockError::Invalid { .. } => "invalid-lock",
            LockError::Missing { .. } => "lock-missing",
            LockError::OfAnother { .. } | LockError::Stale { .. } => "lock-stale",
            LockError::Write { .. } => "lock-not-written",
        }
    }

    fn class(&self) -> Class {
        match self {
            LockError::Read { .. } | LockError::Write { .. } => Class::Other,
            LockError::Invalid { .. } => Class::Usage,
            LockError::Missing { .. } => Class::NotFound,
            LockError::OfAnother { .. } | LockError::Stale { .. } => Class::Verification,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            LockError::Read { .. } => "see that it is a file that you may read".into(),
            LockError::Invalid { .. } => {
                "take it from version control, or remove it and make it anew with `wassette lock`, \
                 which resolves every entry again"
                    .into()
            }
            LockError::Missing { .. } => "`wassette lock -f FILE` makes it".into(),
            LockError::OfAnother { renew, .. } => {
                format!("name another file with `--lock`, or renew it with `{renew}`")
            }
            LockError::Stale { renew, .. } => format!(
                "nothing was changed; `{renew}` renews it, and moves no digest of what has the \
                 same `uri`"
            ),
            LockError::Write { .. } => "what is installed is as the manifest says; make the lock \
                                        with `wassette lock` where it can be written"
                .into(),
        })
    }
}
