//! Describes what a call was denied, and the grants that would allow it.

use std::fmt;

use crate::error::{Class, Diagnose};
use crate::policy::{
    Access, EnvironmentRule, HostPattern, LimitRule, NetworkRule, Permission, Reason, StorageRule,
    StorageUri, ValueSource,
};
use crate::reference::ComponentId;
use crate::runtime::{Denial, DenialKind};

/// Most denials for which a hint gives the grants.
const HINTED: usize = 3;

/// One denial, and the grant that would lift it.
#[derive(Clone, Debug, PartialEq)]
pub struct Denied {
    pub denial: Denial,
    /// The grant that allows exactly this, if there is one.
    pub grant: Option<Grant>,
}

/// A permission that a component could be granted.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub component_id: ComponentId,
    pub permission: Permission,
}

impl Denied {
    pub fn new(id: &ComponentId, denial: Denial) -> Self {
        Denied {
            grant: Grant::of(id, &denial).filter(|_| can_be_granted(&denial)),
            denial,
        }
    }
}

/// Whether a grant would help: an explicit deny overrides it, and the full name must
/// be known.
fn can_be_granted(denial: &Denial) -> bool {
    denial.reason == Reason::NotGranted && denial.is_whole
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.denial.what;
        match self.denial.kind {
            DenialKind::Request => write!(f, "an HTTP request to `{what}`"),
            DenialKind::Lookup => write!(f, "the addresses of `{what}`"),
            DenialKind::Address | DenialKind::Socket => write!(f, "`{what}`"),
            DenialKind::Read => write!(f, "reading `{what}`"),
            DenialKind::Write => write!(f, "writing `{what}`"),
            DenialKind::Environment => write!(f, "the variable `{what}`"),
        }?;
        match (self.denial.reason, self.denial.kind) {
            (Reason::NotGranted, DenialKind::Address) => {
                f.write_str(", which is not a public address")
            }
            (Reason::NotGranted, _) => Ok(()),
            (Reason::DeniedByRule, _) => f.write_str(", denied by a rule of its policy"),
            (Reason::Never, _) => f.write_str(", which no grant allows"),
        }
    }
}

impl Grant {
    /// The smallest grant that would allow it. `None` if the policy language has none, or the name
    /// is not valid in a policy.
    fn of(id: &ComponentId, denial: &Denial) -> Option<Self> {
        let what = denial.what.raw();
        match denial.kind {
            DenialKind::Request => Grant::host(id, &origin(what)?),
            DenialKind::Lookup => Grant::host(id, what),
            DenialKind::Socket => {
                // Listening and binding cannot be granted.
                let tcp = what.strip_prefix("TCP to ");
                let address = tcp.or_else(|| what.strip_prefix("UDP to "))?;
                Grant::host(id, address)
            }
            // A public name that resolves to a private address is suspicious: do not
            // offer a grant for it.
            DenialKind::Address => None,
            DenialKind::Read => Grant::storage(id, what, Access::READ),
            DenialKind::Write => Grant::storage(id, what, Access::WRITE),
            DenialKind::Environment => Grant::variable(id, what),
        }
    }

    fn host(id: &ComponentId, host: &str) -> Option<Self> {
        let pattern: HostPattern = host.parse().ok()?;
        Some(Grant::new(
            id,
            Permission::Network(NetworkRule::Host(pattern)),
        ))
    }

    fn storage(id: &ComponentId, path: &str, access: Access) -> Option<Self> {
        let uri: StorageUri = format!("fs://{path}").parse().ok()?;
        // In a policy, `*` is a wildcard that would match other paths, too.
        if path.contains('*') {
            return None;
        }
        let rule = StorageRule {
            uri,
            access,
            quota: None,
        };
        Some(Grant::new(id, Permission::Storage(rule)))
    }

    fn variable(id: &ComponentId, key: &str) -> Option<Self> {
        let rule = EnvironmentRule::new(key, ValueSource::Inherit).ok()?;
        Some(Grant::new(id, Permission::Environment(rule)))
    }

    pub fn new(id: &ComponentId, permission: Permission) -> Self {
        Grant {
            component_id: id.clone(),
            permission,
        }
    }

    /// The shell command that gives this grant.
    pub fn command(&self) -> String {
        let id = self.component_id.as_str();
        match &self.permission {
            Permission::Network(NetworkRule::Host(host)) => {
                command(&["network", id, &host.to_string()])
            }
            Permission::Network(NetworkRule::Cidr(rule)) => {
                command(&["network", id, &rule.to_string()])
            }
            Permission::Storage(StorageRule { uri, access, quota }) => {
                let (uri, access) = (uri.to_string(), access.names().join(","));
                let quota = quota.map(|bytes| bytes.to_string());
                let mut words = vec!["storage", id, &uri, "--access", &access];
                words.extend(quota.iter().flat_map(|bytes| ["--quota", bytes]));
                command(&words)
            }
            Permission::Environment(rule) => {
                let kind = "environment-variable";
                match &rule.source {
                    ValueSource::Inherit => command(&[kind, id, &rule.key]),
                    ValueSource::Value(value) => command(&[kind, id, &rule.key, "--value", value]),
                    ValueSource::Secret => command(&[kind, id, &rule.key, "--secret"]),
                }
            }
            Permission::Limit(rule @ LimitRule::Memory(_)) => {
                command(&["memory", id, &rule.value()])
            }
            // Other limits can only be set in a policy file.
            Permission::Limit(_) => format!("wassette policy set {id} FILE"),
        }
    }
}

/// Scheme and host, with the port unless it is the scheme's default.
fn origin(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let (scheme, host) = (url.scheme(), url.host_str()?);
    Some(match url.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// The grant command with these arguments, quoted for a shell.
fn command(words: &[&str]) -> String {
    let mut line = String::from("wassette permission grant");
    for word in words {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:/,@%".contains(c);
        if word.chars().all(plain) {
            line.push(' ');
            line.push_str(word);
        } else {
            line.push_str(&format!(" '{}'", word.replace('\'', r"'\''")));
        }
    }
    line
}

/// The hint for an error and the denials before it.
pub fn hint(of_error: Option<String>, denied: &[Denied]) -> Option<String> {
    let hints = [of_error, way_out(denied)].into_iter().flatten();
    hints.reduce(|first, second| format!("{first}; {second}"))
}

const DENIED: &str = "the component was denied what it is not granted";
const BY_RULE: &str = "the component was denied what a rule of its policy denies, \
                       which no grant changes";
const NEVER: &str = "the component was denied what no grant allows";

fn way_out(denied: &[Denied]) -> Option<String> {
    let worst = denied.iter().map(|denied| denied.denial.reason);
    let without_grant = worst.reduce(|one, other| match (one, other) {
        (Reason::DeniedByRule, _) | (_, Reason::DeniedByRule) => Reason::DeniedByRule,
        (Reason::NotGranted, _) | (_, Reason::NotGranted) => Reason::NotGranted,
        (Reason::Never, Reason::Never) => Reason::Never,
    })?;
    let mut grants: Vec<&Grant> = Vec::new();
    for grant in denied.iter().filter_map(|denied| denied.grant.as_ref()) {
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    if grants.is_empty() {
        let words = match without_grant {
            Reason::NotGranted => DENIED,
            Reason::DeniedByRule => BY_RULE,
            Reason::Never => NEVER,
        };
        return Some(words.to_owned());
    }
    let shown = grants.iter().take(HINTED);
    let commands: Vec<String> = shown
        .map(|grant| format!("`{}`", grant.command()))
        .collect();
    let commands = commands.join(" and ");
    let more = match grants.len() {
        0..=HINTED => String::new(),
        count => format!(" and {} more like it", count - HINTED),
    };
    Some(format!(
        "{DENIED}; if the user agrees, grant it with {commands}{more}"
    ))
}

/// An error, together with the denials of the call.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct DeniedCall<E: Diagnose> {
    pub error: E,
    pub denied: Vec<Denied>,
}

impl<E: Diagnose> Diagnose for DeniedCall<E> {
    fn code(&self) -> &'static str {
        self.error.code()
    }

    fn class(&self) -> Class {
        self.error.class()
    }

    fn hint(&self) -> Option<String> {
        hint(self.error.hint(), &self.denied)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let denied = self.denied.iter();
        let mut facts = self.error.facts();
        facts.extend(denied.map(|denied| ("denied", denied.to_string())));
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(kind: DenialKind, what: &str) -> Denied {
        let id = ComponentId::parse("weather").unwrap();
        Denied::new(&id, denial(kind, what))
    }

    fn denial(kind: DenialKind, what: &str) -> Denial {
        Denial {
            kind,
            what: what.into(),
            is_whole: true,
            reason: Reason::NotGranted,
            times: 1,
        }
    }

    #[test]
    fn each_kind_has_its_grant() {
        use DenialKind::{Environment, Lookup, Read, Request, Socket, Write};
        for (kind, what, command) in [
            (
                Request,
                "https://api.x.org/v1",
                "network weather https://api.x.org",
            ),
            (
                Request,
                "http://a.x.org:81/",
                "network weather http://a.x.org:81",
            ),
            (Lookup, "db.lan", "network weather db.lan"),
            (Socket, "TCP to 10.0.0.1:53", "network weather 10.0.0.1:53"),
            (Read, "/a", "storage weather fs:///a --access read"),
            (Write, "/a b", "storage weather 'fs:///a b' --access write"),
            (Environment, "CITY", "environment-variable weather CITY"),
        ] {
            let grant = denied(kind, what).grant.expect(what);
            let whole = format!("wassette permission grant {command}");
            assert_eq!(grant.command(), whole);
        }
    }

    #[test]
    fn names_that_are_none_are_not_offered() {
        for (kind, what) in [
            (DenialKind::Lookup, "a b; rm -rf ~"),
            (DenialKind::Request, "https:///"),
            (DenialKind::Address, "https://a.example/ at 10.0.0.1"),
            (DenialKind::Socket, "TCP bound to 10.0.0.1:80"),
            (DenialKind::Socket, "TCP"),
            (DenialKind::Read, "/data/*"),
            (DenialKind::Environment, "$(id)"),
        ] {
            assert_eq!(denied(kind, what).grant, None, "{what}");
        }
    }

    #[test]
    fn no_grant_is_offered_that_would_not_help() {
        let id = ComponentId::parse("weather").unwrap();
        let told = |denial: Denial| {
            let denied = Denied::new(&id, denial);
            assert_eq!(denied.grant, None);
            let hint = hint(None, std::slice::from_ref(&denied));
            (denied.to_string(), hint.unwrap())
        };
        let a = || denial(DenialKind::Read, "/a");
        let ruled = told(Denial {
            reason: Reason::DeniedByRule,
            ..a()
        });
        assert_eq!(ruled.0, "reading `/a`, denied by a rule of its policy");
        assert_eq!(ruled.1, BY_RULE);
        let never = told(Denial {
            reason: Reason::Never,
            ..a()
        });
        assert_eq!(never.0, "reading `/a`, which no grant allows");
        assert_eq!(never.1, NEVER);
        let cut = told(Denial {
            is_whole: false,
            ..a()
        });
        assert_eq!(cut, ("reading `/a`".to_owned(), DENIED.to_owned()));
        let public = denial(DenialKind::Address, "https://a.example/ at 1.1.1.1");
        let public = told(Denial {
            reason: Reason::DeniedByRule,
            ..public
        });
        assert!(!public.0.contains("public"), "{}", public.0);
    }

    #[test]
    fn a_shell_reads_the_command_as_it_was_meant() {
        let grant = denied(DenialKind::Read, "/a'; rm -rf x'").grant.unwrap();
        assert_eq!(
            grant.command(),
            r"wassette permission grant storage weather 'fs:///a'\''; rm -rf x'\''' --access read"
        );
    }

    #[test]
    fn the_hint_is_bounded() {
        let many: Vec<Denied> = (0..9)
            .map(|n| denied(DenialKind::Lookup, &format!("h{n}.example")))
            .collect();
        let hint = hint(Some("first".to_owned()), &many).unwrap();
        assert!(hint.starts_with("first; "), "{hint}");
        assert!(hint.contains("and 6 more like it"), "{hint}");
        assert_eq!(hint.matches("wassette permission").count(), HINTED);
        assert_eq!(super::hint(None, &[]), None);
    }
}
