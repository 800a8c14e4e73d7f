//! Decides which of the server's own tools are offered.

/// What the operator lets agents do with the server itself. Components' tools are
/// always offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    pub builtins: Builtins,
    pub changes: Changes,
    pub grants: Grants,
    pub call_tool: CallTool,
}

/// Whether the server's own tools are offered at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Builtins {
    #[default]
    Offered,
    Off,
}

/// Whether agents may load and unload components and change their grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Changes {
    #[default]
    Allowed,
    ReadOnly,
}

/// Whether agents may grant permissions. Revoking only depends on [`Changes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grants {
    #[default]
    Allowed,
    Off,
}

/// Whether `call-tool` is offered, which calls any tool of a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallTool {
    #[default]
    Offered,
    Off,
}

/// The kind of effect that one of the server's own tools has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It shows information.
    Look,
    /// It changes what is installed, or revokes permissions.
    Change,
    /// It grants a permission.
    Grant,
    /// It calls a tool of a component.
    Call,
}

impl Offer {
    /// Whether tools with this effect are offered.
    ///
    /// # Errors
    ///
    /// The option of `wassette serve`, or the setting, that switches them off.
    pub fn admits(self, effect: Effect) -> Result<(), &'static str> {
        if self.builtins == Builtins::Off {
            return Err("--disable-builtin-tools");
        }
        let changes = matches!(effect, Effect::Change | Effect::Grant);
        if self.changes == Changes::ReadOnly && changes {
            return Err("--read-only");
        }
        if self.call_tool == CallTool::Off && effect == Effect::Call {
            return Err("[agents] call_tool = false");
        }
        if self.grants == Grants::Off && effect == Effect::Grant {
            return Err("--no-grants");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_turns_off_what_it_says() {
        let all = Offer::default();
        let read_only = Offer {
            changes: Changes::ReadOnly,
            ..all
        };
        let no_grants = Offer {
            grants: Grants::Off,
            ..all
        };
        let no_call_tool = Offer {
            call_tool: CallTool::Off,
            ..all
        };
        let none = Offer {
            builtins: Builtins::Off,
            ..all
        };
        let (yes, read) = (Ok(()), Err("--read-only"));
        let no_call = Err("[agents] call_tool = false");
        let table = [
            (all, [yes; 4]),
            (read_only, [yes, read, read, yes]),
            (no_grants, [yes, yes, Err("--no-grants"), yes]),
            (no_call_tool, [yes, yes, yes, no_call]),
            (none, [Err("--disable-builtin-tools"); 4]),
        ];
        for (offer, expected) in table {
            let effects = [Effect::Look, Effect::Change, Effect::Grant, Effect::Call];
            assert_eq!(effects.map(|it| offer.admits(it)), expected, "{offer:?}");
        }
    }
}
