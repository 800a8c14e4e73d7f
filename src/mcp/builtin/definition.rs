//! The built-in tools' entries in `tools/list`.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};

use super::{Builtin, PermissionKind};

impl Builtin {
    pub(super) fn definition(self) -> Tool {
        let mut tool = Tool::new(self.name(), self.description(), self.input_schema())
            .with_title(self.title())
            .with_annotations(self.annotations());
        tool.output_schema = self.output_schema().map(Arc::new);
        tool
    }

    fn title(self) -> &'static str {
        match self {
            Builtin::Call => "Call a component's tool",
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

    /// Some clients cut descriptions, so the first 200 bytes say what the tool is
    /// for.
    fn description(self) -> &'static str {
        match self {
            Builtin::Call => {
                "Call any tool of an installed component by its name: use this for a tool that \
                 is missing from your tool list, such as one that `load-component` has just \
                 added. `arguments` are those of the tool itself; `load-component` returns their \
                 schema, also for a component that is loaded already. A tool that you see in \
                 your list is called directly."
            }
            Builtin::List => "List the installed WebAssembly components and their tools.",
            Builtin::Load => {
                "Add new tools: install a WebAssembly component from an OCI registry, an HTTPS \
                 address or a file. Returns its tools with their input schemas; call them by \
                 name, or with `call-tool`. A component that is unchanged at its source is not \
                 downloaded again."
            }
            Builtin::Search => {
                "Search the catalog of components that can be loaded when you lack a tool; give \
                 the `uri` of an entry to `load-component`. Without a query, all are listed."
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
                "Take a grant back; name it as it was granted. In force at the next call."
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
            Builtin::Call => hints
                .read_only(false)
                .destructive(true)
                .idempotent(false)
                .open_world(true),
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
