//! Storage permissions resolved to absolute paths; decides without touching
//! the disk.

use std::path::{Component, Path, PathBuf};

use super::access::Access;
use super::pattern::{Pattern, Segment};
use super::uri::Base;
use super::{StoragePermissions, StorageRule};
use crate::policy::{Decision, Reason};

/// The resolved rules of one component. All paths must be absolute and
/// canonical; paths that are relative, not UTF-8 or contain `..` are never
/// granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageRules {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    access: Access,
    quota: Option<u64>,
    /// For a rule relative to the working directory, the number of leading
    /// segments that come from that directory.
    relative: Option<usize>,
}

impl Rule {
    fn new(rule: &StorageRule, working_directory: Option<&[&str]>) -> Option<Self> {
        let own = rule.uri.pattern.segments().iter().cloned();
        let (segments, relative) = match rule.uri.base {
            Base::Root => (own.collect(), None),
            Base::WorkingDirectory => {
                let below = working_directory?;
                let literal = |name: &&str| Segment::Name(vec![(*name).to_owned()]);
                let segments = below.iter().map(literal).chain(own).collect();
                (segments, Some(below.len()))
            }
        };
        Some(Rule {
            pattern: Pattern::new(segments)?,
            access: rule.access,
            quota: rule.quota,
            relative,
        })
    }
}

/// The quota that applies to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Index of the allow rule that sets it. All files without such a rule
    /// share the entry `None`.
    pub rule: Option<usize>,
    pub bytes: Option<u64>,
}

/// A directory to preopen for a guest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorageRoot {
    /// The absolute path on the host.
    pub host: PathBuf,
    /// The path in the guest.
    pub guest: String,
}

impl StorageRules {
    pub(super) fn new(permissions: &StoragePermissions, working_directory: &Path) -> Self {
        let below = names(working_directory);
        let resolve = |rule: &StorageRule| Rule::new(rule, below.as_deref());
        let allow: Option<Vec<Rule>> = permissions.allow.iter().map(resolve).collect();
        let deny: Option<Vec<Rule>> = permissions.deny.iter().map(resolve).collect();
        // If the working directory is not UTF-8 or too deep, relative rules
        // cannot be resolved. Then nothing is granted.
        match (allow, deny) {
            (Some(allow), Some(deny)) => StorageRules { allow, deny },
            _ => StorageRules::default(),
        }
    }

    /// Returns the access granted to this file or directory.
    pub fn access(&self, path: &Path) -> Access {
        let Some(path) = names(path) else {
            return Access::NONE;
        };
        union(&self.allow, |pattern| pattern.matches(&path))
            - union(&self.deny, |pattern| pattern.matches(&path))
    }

    /// Returns the highest quota among the allow rules that grant writing to a path.
    pub fn quota(&self, path: &Path) -> Quota {
        let allow = self.allow.iter().enumerate();
        let set = allow.filter_map(|(at, rule)| Some((rule.quota?, at, rule)));
        let path = names(path).unwrap_or_default();
        let about = set.filter(|(_, _, rule)| {
            rule.access.contains(Access::WRITE) && rule.pattern.matches(&path)
        });
        let most = about.max_by_key(|(bytes, _, _)| *bytes);
        Quota {
            rule: most.map(|(_, at, _)| at),
            bytes: most.map(|(bytes, _, _)| bytes),
        }
    }

    /// Returns the access that deny rules take away from this file or directory.
    pub fn denied(&self, path: &Path) -> Access {
        let Some(path) = names(path) else {
            return Access::NONE;
        };
        union(&self.deny, |pattern| pattern.matches(&path))
    }

    /// Like [`StorageRules::access`], but counts only allow rules without a wildcard.
    pub fn access_by_name(&self, path: &Path) -> Access {
        let Some(path) = names(path) else {
            return Access::NONE;
        };
        union(&self.allow, |pattern| {
            pattern.is_literal() && pattern.matches(&path)
        }) - union(&self.deny, |pattern| pattern.matches(&path))
    }

    /// Whether a path strictly below `directory` may be granted. Then the
    /// guest may traverse the directory, and listings show the names that lead
    /// to the grant.
    pub fn leads_to_grant(&self, directory: &Path) -> bool {
        let Some(directory) = names(directory) else {
            return false;
        };
        let asked = union(&self.allow, |pattern| pattern.leads_below(&directory));
        let denied = union(&self.deny, |pattern| pattern.covers_tree(&directory));
        !(asked - denied).is_none()
    }

    /// Whether `access` is granted to `directory` and every path that can
    /// exist below it. Renaming or linking the whole directory requires this.
    pub fn whole_tree(&self, directory: &Path, access: Access) -> Decision {
        let Some(directory) = names(directory) else {
            return Decision::Denied(Reason::Never);
        };
        let allowed = union(&self.allow, |pattern| pattern.covers_tree(&directory));
        let denied = union(&self.deny, |pattern| pattern.meets(&directory));
        if !(access & denied).is_none() {
            return Decision::Denied(Reason::DeniedByRule);
        }
        Decision::granted(allowed.contains(access))
    }

    /// Returns the smallest set of directories to preopen so that every grant can be reached:
    /// under absolute guest paths, and for rules relative to the working directory also under
    /// relative ones.
    pub fn roots(&self) -> Vec<StorageRoot> {
        let absolute = self.allow.iter().map(|rule| Top {
            directory: directory(&rule.pattern),
            below: None,
        });
        let relative = self.allow.iter().filter_map(|rule| {
            Some(Top {
                directory: directory(&rule.pattern),
                below: Some(rule.relative?),
            })
        });
        let mut roots = outermost(absolute);
        roots.extend(outermost(relative));
        roots
    }
}

/// A candidate for a preopened directory.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Top {
    directory: Vec<String>,
    /// For a relative guest path, the number of leading names that belong to
    /// the working directory and are left out; `None` for an absolute guest
    /// path.
    below: Option<usize>,
}

impl Top {
    fn root(&self) -> StorageRoot {
        let mut host = PathBuf::from("/");
        host.extend(&self.directory);
        let known = self.directory.get(self.below.unwrap_or(0)..);
        let names = known.unwrap_or_default().join("/");
        let guest = match self.below {
            None => format!("/{names}"),
            Some(_) if names.is_empty() => ".".to_owned(),
            Some(_) => names,
        };
        StorageRoot { host, guest }
    }
}

fn union(rules: &[Rule], is_for: impl Fn(&Pattern) -> bool) -> Access {
    rules
        .iter()
        .filter(|rule| is_for(&rule.pattern))
        .fold(Access::NONE, |access, rule| access | rule.access)
}

/// Returns the directory from which every match can be reached: the names before the first
/// wildcard, without the last name of the pattern, which may be a file.
fn directory(pattern: &Pattern) -> Vec<String> {
    let mut names: Vec<String> = pattern
        .segments()
        .iter()
        .map_while(|segment| segment.literal().map(str::to_owned))
        .collect();
    if names.len() == pattern.segments().len() {
        names.pop();
    }
    names
}

/// Drops the directories that lie in another one of the list.
fn outermost(tops: impl Iterator<Item = Top>) -> Vec<StorageRoot> {
    let mut sorted: Vec<Top> = tops.collect();
    sorted.sort();
    let mut kept: Vec<Top> = Vec::new();
    for top in sorted {
        // After sorting, a directory comes directly before everything in it.
        let outer = kept.last();
        if !outer.is_some_and(|outer| top.directory.starts_with(&outer.directory)) {
            kept.push(top);
        }
    }
    kept.iter().map(Top::root).collect()
}

/// Returns the names of an absolute path; `None` if it is relative, has `..` or is not UTF-8.
fn names(path: &Path) -> Option<Vec<&str>> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return None;
    }
    components
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect()
}
