//! What a call was denied, in words, and the grant that would allow it.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Class, Diagnose};
use crate::policy::{Access, EnvironmentRule, HostPattern, Reason, StorageUri, ValueSource};
use crate::reference::ComponentId;
use crate::runtime::{Denial, DenialKind};

/// Denials whose grants a hint spells out.
const HINTED: usize = 3;

/// Something a component asked for and was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Denied {
    #[serde(flatten)]
    pub denial: Denial,
    /// What would allow just this, if anything would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// One grant, as an agent and as a person would ask for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grant {
    /// None where agents may not grant.
    #[serde(flatten)]
    pub over_mcp: Option<GrantTool>,
    /// For a shell.
    pub command: String,
}

/// A grant over MCP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GrantTool {
    pub tool: &'static str,
    pub arguments: Value,
}

impl Denied {
    pub fn new(id: &ComponentId, denial: Denial) -> Self {
        Denied {
            grant: Grant::of(id, &denial).filter(|_| can_be_granted(&denial)),
            denial,
        }
    }
}

/// Whether a grant would be in force: a deny wins over it. Of a name that was
/// cut, nobody knows what it would allow.
fn can_be_granted(denial: &Denial) -> bool {
    denial.reason == Reason::NotGranted && denial.is_whole
}

/// The words are for agents and terminals, and guests choose the names in
/// them: what does not print is escaped.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.denial.what.escape_debug();
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
    /// The smallest grant that would allow it, if the language has one. What
    /// is not a valid name by the policy's own rules is not offered.
    fn of(id: &ComponentId, denial: &Denial) -> Option<Self> {
        let what = denial.what.as_str();
        match denial.kind {
            DenialKind::Request => Grant::host(id, &origin(what)?),
            DenialKind::Lookup => Grant::host(id, what),
            DenialKind::Socket => {
                // Listening and binding cannot be granted.
                let tcp = what.strip_prefix("TCP to ");
                let address = tcp.or_else(|| what.strip_prefix("UDP to "))?;
                Grant::host(id, address)
            }
            // A name that leads to a private address is odd: not to be granted
            // with one stroke of a key.
            DenialKind::Address => None,
            DenialKind::Read => Grant::storage(id, what, Access::READ),
            DenialKind::Write => Grant::storage(id, what, Access::WRITE),
            DenialKind::Environment => Grant::variable(id, what),
        }
    }

    fn host(id: &ComponentId, host: &str) -> Option<Self> {
        let pattern: HostPattern = host.parse().ok()?;
        let host = pattern.to_string();
        Some(Grant {
            over_mcp: Some(GrantTool {
                tool: "grant-network-permission",
                arguments: json!({ "component_id": id, "details": { "host": host } }),
            }),
            command: command(&["network", id.as_str(), &host]),
        })
    }

    fn storage(id: &ComponentId, path: &str, access: Access) -> Option<Self> {
        let uri: StorageUri = format!("fs://{path}").parse().ok()?;
        // As a pattern, the name would cover others too.
        if path.contains('*') {
            return None;
        }
        let (uri, access) = (uri.to_string(), access.names());
        Some(Grant {
            over_mcp: Some(GrantTool {
                tool: "grant-storage-permission",
                arguments: json!({
                    "component_id": id,
                    "details": { "uri": uri, "access": access },
                }),
            }),
            command: command(&["storage", id.as_str(), &uri, "--access", &access.join(",")]),
        })
    }

    fn variable(id: &ComponentId, key: &str) -> Option<Self> {
        let rule = EnvironmentRule::new(key, ValueSource::Inherit).ok()?;
        Some(Grant {
            over_mcp: Some(GrantTool {
                tool: "grant-environment-variable-permission",
                arguments: json!({ "component_id": id, "details": { "key": rule.key } }),
            }),
            command: command(&["environment-variable", id.as_str(), key]),
        })
    }
}

/// Scheme and host, with the port where it is not that of the scheme.
fn origin(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let (scheme, host) = (url.scheme(), url.host_str()?);
    Some(match url.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// A command line that a shell reads as these words.
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

/// How whoever reads a hint can grant something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// With commands alone.
    Commands,
    /// Over MCP too.
    CommandsAndTools,
}

/// The same denials, with the grants as far as the reader can reach them.
pub fn reachable(mut denied: Vec<Denied>, ways: Ways) -> Vec<Denied> {
    if ways == Ways::Commands {
        for grant in denied.iter_mut().filter_map(|denied| denied.grant.as_mut()) {
            grant.over_mcp = None;
        }
    }
    denied
}

/// What to do about an error and the denials before it.
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
    let Some(first) = grants.first() else {
        let words = match without_grant {
            Reason::NotGranted => DENIED,
            Reason::DeniedByRule => BY_RULE,
            Reason::Never => NEVER,
        };
        return Some(words.to_owned());
    };
    let commands = grants.iter().take(HINTED).map(|grant| &grant.command);
    let commands: Vec<String> = commands.map(|command| format!("`{command}`")).collect();
    let commands = commands.join(" and ");
    let more = match grants.len() {
        0..=HINTED => String::new(),
        count => format!(" and {} more like it", count - HINTED),
    };
    let over_mcp = match &first.over_mcp {
        Some(GrantTool { tool, arguments }) => {
            format!(", over MCP with `{tool}` and `{arguments}`")
        }
        None => String::new(),
    };
    Some(format!(
        "{DENIED}; if the user agrees, grant it with {commands}{more}{over_mcp}"
    ))
}

/// An error together with what the call was denied before it.
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
            what: what.to_owned(),
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
            assert_eq!(grant.command, whole);
            let tool = grant.over_mcp.expect(what);
            assert_eq!(tool.arguments["component_id"], "weather");
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
    fn tools_are_named_to_those_who_have_them() {
        let told = |ways| {
            let denied = reachable(vec![denied(DenialKind::Read, "/a")], ways);
            let hint = hint(None, &denied).unwrap();
            let names_tool = hint.contains("over MCP");
            (names_tool, json!(denied)[0]["grant"].get("tool").is_some())
        };
        assert_eq!(told(Ways::CommandsAndTools), (true, true));
        assert_eq!(told(Ways::Commands), (false, false));
    }

    #[test]
    fn a_shell_reads_the_command_as_it_was_meant() {
        let grant = denied(DenialKind::Read, "/a'; rm -rf x'").grant.unwrap();
        assert_eq!(
            grant.command,
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
