//! How the tools look in `tools/list`.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};

use super::{Builtin, PermissionKind};

impl Builtin {
    pub(super) fn definition(self) -> Tool {
        Tool::new(self.name(), self.description(), self.input_schema())
            .with_title(self.title())
            .with_raw_output_schema(Arc::new(self.output_schema()))
            .with_annotations(self.annotations())
    }

    fn title(self) -> &'static str {
        match self {
            Builtin::Grant(PermissionKind::Environment) => "Grant an environment variable",
            Builtin::Grant(PermissionKind::Network) => "Grant network access",
            Builtin::Grant(PermissionKind::Storage) => "Grant file access",
            Builtin::Policy => "Show what a component may do",
            Builtin::Reset => "Take all permissions back",
            Builtin::Revoke(PermissionKind::Environment) => "Take an environment variable back",
            Builtin::Revoke(PermissionKind::Network) => "Take network access back",
            Builtin::Revoke(PermissionKind::Storage) => "Take file access back",
            Builtin::List => "List components",
            Builtin::Load => "Load a component",
            Builtin::Search => "Search components",
            Builtin::Unload => "Unload a component",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Builtin::List => "List the installed WebAssembly components and their tools.",
            Builtin::Load => {
                "Install a WebAssembly component from an OCI registry, an HTTPS address or a \
                 file, and offer its functions as tools. A component that is unchanged at its \
                 source is not downloaded again."
            }
            Builtin::Search => {
                "Search the catalog of known components; the `uri` of an entry can be given to \
                 `load-component`. Without a query, all entries are listed."
            }
            Builtin::Unload => "Uninstall a component and withdraw its tools.",
            Builtin::Policy => {
                "Show what a component is granted, who granted it, and what it asks for beyond that."
            }
            Builtin::Grant(PermissionKind::Environment) => {
                "Let a component see an environment variable of the server, or its secret of \
                 this name. The user is asked where the client can. In force at the next call."
            }
            Builtin::Grant(PermissionKind::Network) => {
                "Let a component make requests to a host. The user is asked where the client \
                 can. In force at the next call."
            }
            Builtin::Grant(PermissionKind::Storage) => {
                "Let a component read or write files. The user is asked where the client can. \
                 In force at the next call."
            }
            Builtin::Revoke(_) => {
                "Take a grant back, named as it was given. In force at the next call."
            }
            Builtin::Reset => "Take all grants of a component back. In force at the next call.",
        }
    }

    fn annotations(self) -> ToolAnnotations {
        let hints = ToolAnnotations::with_title(self.title());
        match self {
            Builtin::List | Builtin::Search | Builtin::Policy => {
                hints.read_only(true).open_world(false)
            }
            Builtin::Grant(_) | Builtin::Revoke(_) | Builtin::Reset => hints
                .read_only(false)
                .destructive(true)
                .idempotent(true)
                .open_world(false),
            Builtin::Load => hints
                .read_only(false)
                .destructive(false)
                .idempotent(true)
                .open_world(true),
            Builtin::Unload => hints
                .read_only(false)
                .destructive(true)
                .idempotent(true)
                .open_world(false),
        }
    }
}
