//! The instructions that the server gives a model when a client connects.
//!
//! Clients cut them at 2 KB, and many read the tool list only once. So the first
//! sentence says what to do when a capability is missing, and how to call a tool that
//! was loaded later.

use super::offer::{Effect, Offer};

const WHAT: &str = "Wassette runs WebAssembly components as tools, each in a sandbox that allows \
nothing until it is granted.";

/// The instructions of a server that offers these tools.
pub(super) fn of(offer: Offer) -> String {
    let can = |effect| offer.admits(effect).is_ok();
    let mut parts: Vec<&str> = Vec::new();
    match (can(Effect::Change), can(Effect::Call)) {
        (true, true) => parts.push(
            "When you lack a capability, find a component with `search-components`, add it with \
             `load-component`, and call its tools by name, or with `call-tool {name, arguments}` \
             if your tool list does not show them.",
        ),
        (true, false) => parts.push(
            "When you lack a capability, find a component with `search-components`, add it with \
             `load-component`, and call its tools by name once your client has read the tool \
             list again.",
        ),
        (false, true) => parts.push(
            "A tool of an installed component that your tool list does not show is called with \
             `call-tool {name, arguments}`; components are not loaded on this server.",
        ),
        (false, false) => {}
    }
    parts.push(WHAT);
    if can(Effect::Change) {
        parts.push(
            "`load-component` takes a `uri` such as oci://ghcr.io/owner/name:1.0, an https:// \
             address or a file, and returns the new tools with their input schemas. \
             `list-components` and `unload-component` manage what is installed.",
        );
    }
    if can(Effect::Grant) {
        parts.push(
            "A call that was denied something says what, and which grant would allow it: ask \
             the user before you grant anything.",
        );
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::offer::{Builtins, CallTool, Changes};
    use super::*;

    #[test]
    fn the_first_sentence_says_what_to_do_about_a_missing_capability() {
        let text = of(Offer::default());
        assert!(text.len() <= 1900, "{}", text.len());
        let (first, _) = text.split_once(". ").unwrap();
        for tool in ["search-components", "load-component", "call-tool"] {
            assert!(first.contains(tool), "{first}");
        }
    }

    #[test]
    fn no_tool_is_named_that_is_not_offered() {
        let all = Offer::default();
        let no_call_tool = Offer {
            call_tool: CallTool::Off,
            ..all
        };
        assert!(!of(no_call_tool).contains("call-tool"));
        let read_only = Offer {
            changes: Changes::ReadOnly,
            ..all
        };
        assert!(!of(read_only).contains("load-component"));
        let none = Offer {
            builtins: Builtins::Off,
            ..all
        };
        assert!(!of(none).contains('`'), "{}", of(none));
    }
}
