//! Side effects of a component's tools, for MCP tool annotations.

use crate::policy::{Access, Policy};

/// Imports without effects outside the process. The guest's output goes to the
/// log.
const HARMLESS: [&str; 5] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:config/",
    "wasi:io/",
    "wasi:random/",
];

/// The possible effects of a component's calls, according to its imports and grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// It can change files.
    pub writes: bool,
    /// It can connect to other hosts.
    pub connects: bool,
}

impl Reach {
    /// No effects.
    pub const NONE: Reach = Reach {
        writes: false,
        connects: false,
    };

    /// All effects; the assumption for unknown components.
    pub const ANY: Reach = Reach {
        writes: true,
        connects: true,
    };

    /// Computes the effects that the imports allow, before grants. Unknown imports count as
    /// [`Reach::ANY`].
    pub fn of_imports(imports: &[String]) -> Self {
        let mut reach = Reach::NONE;
        for import in imports {
            if import.starts_with("wasi:filesystem/") {
                reach.writes = true;
            } else if import.starts_with("wasi:http/") || import.starts_with("wasi:sockets/") {
                reach.connects = true;
            } else if !HARMLESS.iter().any(|known| import.starts_with(known)) {
                return Reach::ANY;
            }
        }
        reach
    }

    /// Restricts the effects to those that the policy grants.
    #[must_use]
    pub fn granted(self, policy: &Policy) -> Self {
        let storage = policy.storage.allow.iter();
        Reach {
            writes: self.writes
                && storage
                    .map(|rule| rule.access)
                    .any(|it| it.contains(Access::WRITE)),
            connects: self.connects && !policy.network.allow.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(imports: &[&str], permissions: &str) -> Reach {
        let imports: Vec<String> = imports.iter().map(|&import| import.to_owned()).collect();
        let policy = format!("version: \"1.0\"\npermissions: {permissions}\n");
        Reach::of_imports(&imports).granted(&Policy::parse(&policy).unwrap())
    }

    #[test]
    fn only_what_is_imported_and_granted_is_reached() {
        let files = "wasi:filesystem/types@0.2.0";
        let http = "wasi:http/outgoing-handler@0.2.3";
        let read = "{storage: {allow: [{uri: \"fs:///a\", access: [read]}]}}";
        let write = "{storage: {allow: [{uri: \"fs:///a\", access: [write]}]}}";
        let net = "{network: {allow: [{host: a.example}]}}";
        let writes = Reach {
            writes: true,
            ..Reach::NONE
        };
        let connects = Reach {
            connects: true,
            ..Reach::NONE
        };
        assert_eq!(granted(&[files, http], "{}"), Reach::NONE);
        assert_eq!(granted(&[files, http], read), Reach::NONE);
        assert_eq!(granted(&[files, http], write), writes);
        assert_eq!(granted(&[files, http], net), connects);
        assert_eq!(granted(&[http], write), Reach::NONE);
        assert_eq!(granted(&[files], net), Reach::NONE);
        assert_eq!(granted(&["wasi:cli/stdout@0.2.0"], write), Reach::NONE);
        // An unknown import may do anything that is granted.
        assert_eq!(granted(&["acme:disk/raw@1.0.0"], write), writes);
    }
}
