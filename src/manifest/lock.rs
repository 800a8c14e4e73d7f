//! `wassette.lock`: the versions that a manifest resolved to, for people to review and for `apply`
//! to enforce.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Entry;
use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::reference::{ComponentId, Reference};
use crate::schema::ToolRecord;
use crate::text::without_bom;

/// File format version. It is raised when a reader of the previous version would misread the file.
const VERSION: u32 = 1;

const HEADER: &str = "\
# What the manifest resolved to. `wassette apply` writes it when there is none and
# holds to it; `wassette lock` renews it. It belongs under version control.
";

/// The lock of one manifest, with its components in the order of their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    #[serde(rename = "component", default)]
    components: Vec<Locked>,
}

/// The version that one entry resolved to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    pub name: ComponentId,
    /// The source, as written in the manifest.
    pub uri: String,
    /// The artifact that the name of a package stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Reference>,
    /// Hash of the manifest's entry.
    pub entry: Digest,
    /// Digest of the OCI manifest, or of the component if there is none.
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    #[serde(default)]
    pub imports: Vec<String>,
    /// Hash of each offered tool's definition (name, description and schemas), by its offered
    /// name.
    #[serde(default)]
    pub tools: BTreeMap<String, Digest>,
    /// Hash of the manifest's rules for its tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_rules: Option<Digest>,
    /// The permissions that the manifest grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Value>,
}

/// The content of a component, as far as it is locked.
pub struct Content<'a> {
    /// Where it is from.
    pub source: &'a Reference,
    pub digest: Digest,
    /// The signer, as it is shown.
    pub signer: Option<String>,
    pub imports: &'a [String],
    /// The offered tools as agents see them, without the rules of this machine.
    pub tools: Vec<ToolRecord>,
}

impl Locked {
    pub fn new(entry: &Entry, content: &Content<'_>) -> Self {
        let mut imports = content.imports.to_vec();
        imports.sort_unstable();
        Locked {
            name: entry.id.clone(),
            uri: entry.written.uri.clone(),
            artifact: matches!(entry.reference, Reference::Package(_))
                .then(|| content.source.clone()),
            entry: entry.written.hash,
            digest: content.digest,
            signer: content.signer.clone(),
            imports,
            tools: content.tools.iter().map(tool).collect(),
            tool_rules: entry.written.tools,
            permissions: entry.written.permissions.clone(),
        }
    }

    /// The same locked content for a changed entry whose rules for tools are the same.
    pub fn renewed(&self, entry: &Entry) -> Self {
        Locked {
            uri: entry.written.uri.clone(),
            entry: entry.written.hash,
            permissions: entry.written.permissions.clone(),
            ..self.clone()
        }
    }

    /// The differences between this content and the locked one, one line each.
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

/// A tool's name, and the hash of its definition.
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

/// The same data with sorted keys.
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
    /// [`LockError::Invalid`] when it is not a lock, or an incomplete one.
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
        // Serializing cannot fail: the data has text keys and no nulls.
        let text = toml::to_string_pretty(self).expect("a lock is plain data");
        format!("{HEADER}{text}")
    }

    pub fn get(&self, name: &ComponentId) -> Option<&Locked> {
        self.components.iter().find(|locked| locked.name == *name)
    }

    /// Compares the lock with the entries of a manifest.
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

/// The result of comparing a lock with a manifest.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Entries that changed since they were locked.
    pub changed: Vec<ComponentId>,
    /// Entries that are not in the lock.
    pub missing: Vec<ComponentId>,
    /// Components that are only in the lock.
    pub surplus: Vec<ComponentId>,
    /// Number of components in the lock.
    all: usize,
}

impl Standing {
    /// Whether the lock belongs to another manifest.
    pub fn is_of_another(&self) -> bool {
        self.all > 0 && self.surplus.len() == self.all && !self.missing.is_empty()
    }

    /// Whether the lock matches the manifest exactly.
    pub fn is_exact(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.surplus.is_empty()
    }
}

/// The reason why a lock cannot be used.
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
