//! `registry validate`: what the CI of a catalog runs.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::{CheckedEntry, EntryChecker, InvalidCatalog, InvalidEntry, entries_of};
use crate::error::{Class, Diagnose, Report};
use crate::file::{Links, read_text};
use crate::text::{Foreign, without_bom};

use super::output::{self, Present};
use super::table::{Cell, grid};
use super::{Failure, Global, Opening, SetupError, block_on};

/// Largest catalog, in bytes.
const LARGEST: u64 = 64 << 20;

/// Check that the entries of a catalog can be loaded and used
///
/// Each entry is checked by itself: its form, its artifact and digests, that its
/// component loads, and that every client can use its tools. Components are loaded
/// into a root of their own, which is removed afterwards, and are granted nothing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette registry validate
  wassette registry validate catalog.json --changed-since origin/main --report github")]
pub struct Validate {
    /// The catalog
    #[arg(default_value = "component-registry.json")]
    file: PathBuf,

    /// Check only entries that are new, or others than in this revision of git
    #[arg(long, value_name = "GITREF")]
    changed_since: Option<String>,

    /// Entries that are checked at once
    #[arg(long, value_name = "N", default_value = "4")]
    jobs: NonZeroUsize,

    /// Print a report for a CI system in place of the table
    #[arg(long, value_enum, value_name = "KIND")]
    report: Option<ReportKind>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportKind {
    /// XML, as JUnit writes it
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

#[derive(Serialize)]
struct Validated {
    entries: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    name: Foreign,
    uri: Foreign,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
enum Verdict {
    Passed { tool_names: Vec<String> },
    Failed { error: Report },
}

impl Validate {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let text = read_text(&self.file, LARGEST, Links::Follow).map_err(|source| {
            let path = self.file.clone();
            ValidateError::Read { path, source }
        })?;
        let mut entries = entries_of(without_bom(&text)).map_err(ValidateError::Catalog)?;
        let mut checker = EntryChecker::default();
        let mut checked: Vec<_> = entries.iter().map(|entry| checker.check(entry)).collect();
        if let Some(revision) = &self.changed_since {
            let before = self.entries_at(revision)?;
            let mut changed = entries.iter().map(|entry| !before.contains(entry));
            checked.retain(|_| changed.next().unwrap_or(true));
            entries.retain(|entry| !before.contains(entry));
        }
        let scratch = tempfile::tempdir().map_err(SetupError::Scratch)?;
        let judged = entries.iter().zip(checked).enumerate();
        let judged = judged.map(|(nth, (entry, checked))| {
            // Each entry has a root of its own, so that no other entry has taken its names.
            let root = scratch.path().join(nth.to_string());
            judge(global, root, entry, checked)
        });
        let jobs = self.jobs.get();
        let entries = block_on(async { Ok(stream::iter(judged).buffered(jobs).collect().await) })?;
        let validated = Validated { entries };
        match self.report {
            None => output::print(&validated, global.output)?,
            Some(ReportKind::Junit) => output::print_text(&validated.junit(&self.file))?,
            Some(ReportKind::Github) => output::print_text(&validated.github(&self.file))?,
        }
        match validated.failed().count() {
            0 => Ok(()),
            failed => Err(ValidateError::Entries {
                failed,
                all: validated.entries.len(),
            }
            .into()),
        }
    }

    /// The entries of the catalog at this revision; empty if it did not exist.
    fn entries_at(&self, revision: &str) -> Result<Vec<Value>, ValidateError> {
        let path = std::path::absolute(&self.file).map_err(ValidateError::Git)?;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Vec::new());
        };
        let commit = format!("{revision}^{{commit}}");
        let verify = ["rev-parse", "--verify", "--end-of-options", &*commit];
        let commit = git(directory, verify.map(OsStr::new))?;
        let commit = commit.trim();
        let mut listed = OsStr::new("./").to_owned();
        listed.push(name);
        let there = ["ls-tree", "--name-only", commit, "--"].map(OsStr::new);
        if git(directory, there.into_iter().chain([&*listed]))?.is_empty() {
            return Ok(Vec::new());
        }
        let mut content = OsStr::new(commit).to_owned();
        content.push(":");
        content.push(&listed);
        let text = git(directory, [OsStr::new("show"), &content])?;
        entries_of(without_bom(&text)).map_err(ValidateError::Catalog)
    }
}

async fn judge(
    global: &Global,
    scratch: PathBuf,
    entry: &Value,
    checked: Result<CheckedEntry, InvalidEntry>,
) -> Checked {
    let text = |key: &str| Foreign::new(entry[key].as_str().unwrap_or("-"));
    let verdict = match tools(global, scratch, checked).await {
        Ok(tool_names) => Verdict::Passed { tool_names },
        Err(failure) => Verdict::Failed {
            error: Report::new(&*failure),
        },
    };
    Checked {
        name: text("name"),
        uri: text("uri"),
        verdict,
    }
}

/// The tools of an entry that passes.
async fn tools(
    global: &Global,
    scratch: PathBuf,
    checked: Result<CheckedEntry, InvalidEntry>,
) -> Result<Vec<String>, Failure> {
    let checked = checked?;
    let service = global.open(Opening {
        scratch: Some(scratch),
        ..Opening::default()
    })?;
    Ok(service.validate(&checked).await?)
}

/// Runs git and returns its output.
fn git<'a>(
    directory: &Path,
    args: impl IntoIterator<Item = &'a OsStr>,
) -> Result<String, ValidateError> {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory).args(args);
    let output = git.output().map_err(ValidateError::Git)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(ValidateError::Refused {
            said: String::from_utf8_lossy(&output.stderr).trim().into(),
        }),
    }
}

impl Validated {
    fn failed(&self) -> impl Iterator<Item = (&Checked, &Report)> {
        self.entries.iter().filter_map(|one| match &one.verdict {
            Verdict::Failed { error } => Some((one, error)),
            Verdict::Passed { .. } => None,
        })
    }

    fn junit(&self, file: &Path) -> String {
        let mut cases = String::new();
        for one in &self.entries {
            let name = xml(&one.name.to_string());
            let _ = write!(
                cases,
                "\n    <testcase classname=\"catalog\" name=\"{name}\""
            );
            match &one.verdict {
                Verdict::Passed { .. } => cases.push_str("/>"),
                Verdict::Failed { error } => {
                    let (code, message) = (error.code, xml(&error.message));
                    let _ = write!(
                        cases,
                        ">\n      <failure type=\"{code}\" message=\"{message}\">{}</failure>\
                         \n    </testcase>",
                        xml(&error.to_string())
                    );
                }
            }
        }
        let (all, failed) = (self.entries.len(), self.failed().count());
        let file = xml(&file.display().to_string());
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{file}\" \
             tests=\"{all}\" failures=\"{failed}\">{cases}\n  </testsuite>\n</testsuites>"
        )
    }

    fn github(&self, file: &Path) -> String {
        let file = annotation(&file.display().to_string());
        let lines = self.failed().map(|(one, error)| {
            let title = annotation(&one.name.to_string());
            let message = annotation(&error.to_string());
            format!("::error file={file},title={title}::{message}")
        });
        let (all, failed) = (self.entries.len(), self.failed().count());
        let last = format!("{} of {all} entries passed", all - failed);
        lines.chain([last]).collect::<Vec<_>>().join("\n")
    }
}

/// Escapes a text for XML, and removes the characters that XML does not allow.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Escapes a value of a workflow command.
fn annotation(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D");
    let text = text.replace('\n', "%0A").replace(':', "%3A");
    text.replace(',', "%2C")
}

impl Present for Validated {
    fn table(&self) -> String {
        if self.entries.is_empty() {
            return "No entry has changed".into();
        }
        let rows = self.entries.iter().map(|one| {
            let (status, tools) = match &one.verdict {
                Verdict::Passed { tool_names } => ("passed", Cell::Names(tool_names.clone())),
                Verdict::Failed { error } => ("failed", error.code.into()),
            };
            let (name, uri) = (one.name.to_string(), one.uri.to_string());
            vec![name.into(), status.into(), tools, uri.into()]
        });
        let mut table = grid(&["NAME", "STATUS", "TOOLS", "URI"], rows.collect());
        for (one, error) in self.failed() {
            let _ = write!(table, "\n\n{}: {error}", one.name);
        }
        table
    }
}

/// The reason why a catalog fails, or could not be checked.
#[derive(Debug, thiserror::Error)]
enum ValidateError {
    #[error("Failed to read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Catalog(InvalidCatalog),
    #[error("git could not be run")]
    Git(#[source] io::Error),
    #[error("git does not have this revision of the catalog: {said}")]
    Refused { said: Foreign },
    #[error("{failed} of {all} entries failed")]
    Entries { failed: usize, all: usize },
}

impl Diagnose for ValidateError {
    fn code(&self) -> &'static str {
        match self {
            ValidateError::Read { .. } => "unreadable-file",
            ValidateError::Catalog(error) => error.code(),
            ValidateError::Git(_) | ValidateError::Refused { .. } => "git-failed",
            ValidateError::Entries { .. } => "entries-failed",
        }
    }

    fn class(&self) -> Class {
        match self {
            ValidateError::Catalog(error) => error.class(),
            _ => Class::Other,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ValidateError::Catalog(error) => error.hint(),
            ValidateError::Refused { .. } => {
                Some("`--changed-since` takes a branch, tag or commit that git has here".into())
            }
            _ => None,
        }
    }
}
