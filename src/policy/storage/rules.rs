//! Storage permissions made absolute: pure decisions on canonical paths.

use std::path::{Component, Path, PathBuf};

use super::access::Access;
use super::pattern::{Pattern, Segment};
use super::uri::Base;
use super::{StoragePermissions, StorageRule};
use crate::policy::{Decision, Reason};

/// The rules of one component, ready to be asked about absolute canonical
/// paths. Paths that are relative, not UTF-8 or hold `..` are never granted.
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
    /// How many leading segments are the working directory's.
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

/// How much may be added to the files that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Which allow sets it; none for all files for which none does.
    pub rule: Option<usize>,
    pub bytes: Option<u64>,
}

/// A directory to open for a guest before it starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorageRoot {
    /// Absolute, on the host.
    pub host: PathBuf,
    /// What the guest calls it.
    pub guest: String,
}

impl StorageRules {
    pub(super) fn new(permissions: &StoragePermissions, working_directory: &Path) -> Self {
        let below = names(working_directory);
        let resolve = |rule: &StorageRule| Rule::new(rule, below.as_deref());
        let allow: Option<Vec<Rule>> = permissions.allow.iter().map(resolve).collect();
        let deny: Option<Vec<Rule>> = permissions.deny.iter().map(resolve).collect();
        // A working directory that cannot be matched leaves relative rules
        // without meaning: then nothing is granted.
        match (allow, deny) {
            (Some(allow), Some(deny)) => StorageRules { allow, deny },
            _ => StorageRules::default(),
        }
    }

    /// What may be done with the file or directory itself.
    pub fn access(&self, path: &Path) -> Access {
        let Some(path) = names(path) else {
            return Access::NONE;
        };
        union(&self.allow, |pattern| pattern.matches(&path))
            - union(&self.deny, |pattern| pattern.matches(&path))
    }

    /// The highest quota that an allow of writing sets for a path.
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

    /// What a deny takes from the file or directory itself.
    pub fn denied(&self, path: &Path) -> Access {
        let Some(path) = names(path) else {
            return Access::NONE;
        };
        union(&self.deny, |pattern| pattern.matches(&path))
    }

    /// As [`StorageRules::access`], by the rules without a wildcard alone.
    pub fn access_by_name(&self, path: &Path) -> Access {
        let Some(path) = names(path) else {
            return Access::NONE;
        };
        union(&self.allow, |pattern| {
            pattern.is_literal() && pattern.matches(&path)
        }) - union(&self.deny, |pattern| pattern.matches(&path))
    }

    /// Whether something strictly below `directory` may be granted: then it
    /// may be walked through, and a listing shows the names that lead on.
    pub fn leads_to_grant(&self, directory: &Path) -> bool {
        let Some(directory) = names(directory) else {
            return false;
        };
        let asked = union(&self.allow, |pattern| pattern.leads_below(&directory));
        let denied = union(&self.deny, |pattern| pattern.covers_tree(&directory));
        !(asked - denied).is_none()
    }

    /// Whether all that is or may ever be below `directory`, and itself, is
    /// granted: only then can it be renamed or linked as a whole.
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

    /// The fewest directories to open so that every grant can be reached:
    /// under their absolute names, and for grants below the working
    /// directory under the relative ones too.
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

/// A directory to open.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Top {
    directory: Vec<String>,
    /// How many leading names are the working directory's, when the guest
    /// knows only the others.
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

/// The names of the directory from which the whole pattern can be reached:
/// all before the first wildcard, but never the last name, which may be a
/// file's.
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

/// Without those that lie in another.
fn outermost(tops: impl Iterator<Item = Top>) -> Vec<StorageRoot> {
    let mut sorted: Vec<Top> = tops.collect();
    sorted.sort();
    let mut kept: Vec<Top> = Vec::new();
    for top in sorted {
        // Sorted, a directory stands right before all that lies in it.
        let outer = kept.last();
        if !outer.is_some_and(|outer| top.directory.starts_with(&outer.directory)) {
            kept.push(top);
        }
    }
    kept.iter().map(Top::root).collect()
}

/// The names of an absolute path without `..`.
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
