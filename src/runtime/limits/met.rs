//! The limit that ended a call, and which setting raises it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::{Bytes, CpuShare, LimitRule, Span};

/// The source of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// The server, for all components whose policy sets none.
    Server,
    /// The component's policy.
    Policy,
}

/// The limit that was exceeded, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exceeded {
    Time {
        limit: Duration,
        /// The guest's CPU share, and how long it held the guest back.
        held: Option<(CpuShare, Duration)>,
    },
    /// Most calls of the component in flight, and how long this one waited.
    Instances { limit: u32, waited: Duration },
    /// Bytes of one instance.
    Memory(u64),
    /// Bytes of all calls of the server together.
    TotalMemory(u64),
    /// Elements of one table.
    Table(usize),
    /// Bytes of a result's JSON.
    Result(u64),
    /// Bytes of the host's memory for the values of a result.
    Values(u64),
    /// Bytes of standard output and error together.
    Printed(u64),
    /// Host resources that an instance holds at a time.
    Resources(usize),
    /// Handles that an instance holds at a time.
    Handles(usize),
    /// Bytes of stack.
    Stack(usize),
    /// Core instances, memories or tables: which of them, and how many.
    Parts { what: String, limit: usize },
}

/// A call exceeded a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitMet {
    pub exceeded: Exceeded,
    pub set_by: SetBy,
    /// The component's id.
    pub component: Arc<str>,
}

impl LimitMet {
    /// Returns the stable code of the error.
    pub fn code(&self) -> &'static str {
        match &self.exceeded {
            Exceeded::Time { .. } => "call-timeout",
            Exceeded::Instances { .. } => "instances-limit",
            Exceeded::Memory(_) => "memory-limit",
            Exceeded::TotalMemory(_) => "server-memory-limit",
            Exceeded::Table(_) => "table-limit",
            Exceeded::Result(_) | Exceeded::Values(_) | Exceeded::Printed(_) => "output-limit",
            Exceeded::Resources(_) | Exceeded::Handles(_) | Exceeded::Parts { .. } => {
                "resource-limit"
            }
            Exceeded::Stack(_) => "stack-limit",
        }
    }

    /// Returns how to allow more.
    pub fn hint(&self) -> String {
        let id = &self.component;
        match &self.exceeded {
            Exceeded::Memory(limit) => {
                let more = LimitRule::Memory(limit.saturating_mul(2)).value();
                format!("`wassette permission grant memory {id} {more}` allows it more")
            }
            Exceeded::Time { held, .. } => {
                let held = held.map(|(share, held)| {
                    let held = Span(held);
                    format!("; its share of a processor, `cpu: {share}`, held it back for {held}")
                });
                format!("{}{}", self.time_hint(), held.unwrap_or_default())
            }
            Exceeded::Instances { .. } => format!(
                "try again when other calls have ended, or set {}",
                self.policy_key("instances")
            ),
            Exceeded::Values(_) => "ask the tool for less".into(),
            Exceeded::Result(_) | Exceeded::Printed(_) => {
                format!(
                    "ask the tool for less, or set {}",
                    self.policy_key("output")
                )
            }
            Exceeded::TotalMemory(_) => "try again when other calls have ended; \
                 `limits.total_memory` in `config.toml` allows more"
                .into(),
            Exceeded::Table(_)
            | Exceeded::Resources(_)
            | Exceeded::Handles(_)
            | Exceeded::Stack(_)
            | Exceeded::Parts { .. } => "no grant raises this limit; \
                 the component may be faulty, or the arguments too large for it"
                .into(),
        }
    }

    fn time_hint(&self) -> String {
        let policy = self.policy_key("time");
        match self.set_by {
            SetBy::Policy => format!("{policy} allows more time"),
            SetBy::Server => {
                format!(
                    "`--call-timeout` gives all calls more time; {policy} gives it to this component"
                )
            }
        }
    }

    fn policy_key(&self, key: &str) -> String {
        format!(
            "`resources.limits.{key}` in the policy of `{}`",
            self.component
        )
    }
}

impl fmt::Display for LimitMet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.exceeded {
            Exceeded::Time { limit, .. } => {
                write!(
                    f,
                    "The call took longer than {} and was stopped",
                    Span(*limit)
                )
            }
            Exceeded::Instances { limit: 1, waited } => write!(
                f,
                "The component runs 1 call at once, and it did not end within {}",
                Span(*waited)
            ),
            Exceeded::Instances { limit, waited } => write!(
                f,
                "The component runs {limit} calls at once, and none of them ended within {}",
                Span(*waited)
            ),
            Exceeded::Memory(limit) => {
                write!(f, "The tool needs more than {} of memory", Bytes(*limit))
            }
            Exceeded::TotalMemory(limit) => write!(
                f,
                "All calls together need more than {} of the server's memory",
                Bytes(*limit)
            ),
            Exceeded::Table(limit) => {
                write!(f, "The tool needs a table of more than {limit} elements")
            }
            Exceeded::Result(limit) => write!(f, "The result is larger than {}", Bytes(*limit)),
            Exceeded::Values(limit) => write!(
                f,
                "The result has so many values that they take more than {} of the server's memory",
                Bytes(*limit)
            ),
            Exceeded::Printed(limit) => write!(f, "The tool printed more than {}", Bytes(*limit)),
            Exceeded::Resources(limit) => write!(
                f,
                "The tool holds more than {limit} of the host's resources at once"
            ),
            Exceeded::Handles(limit) => {
                write!(f, "The tool holds more than {limit} handles at once")
            }
            Exceeded::Stack(limit) => write!(
                f,
                "The tool's functions call each other too deeply: they need more than {} of stack",
                Bytes(*limit as u64)
            ),
            Exceeded::Parts { what, limit } => {
                write!(f, "The component has more than {limit} {what}")
            }
        }
    }
}

impl std::error::Error for LimitMet {}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(exceeded: Exceeded, set_by: SetBy) -> LimitMet {
        LimitMet {
            exceeded,
            set_by,
            component: "weather".into(),
        }
    }

    #[test]
    fn hints_name_the_grant() {
        let memory = met(Exceeded::Memory(512 << 20), SetBy::Server);
        assert_eq!(
            memory.hint(),
            "`wassette permission grant memory weather 1Gi` allows it more"
        );
        let time = Exceeded::Time {
            limit: Duration::from_millis(1500),
            held: Some(("100m".parse().unwrap(), Duration::from_secs(1))),
        };
        let time = met(time, SetBy::Policy);
        assert_eq!(
            time.to_string(),
            "The call took longer than 1500 ms and was stopped"
        );
        assert_eq!(
            time.hint(),
            "`resources.limits.time` in the policy of `weather` allows more time; its share \
             of a processor, `cpu: 100m`, held it back for 1 s"
        );
    }
}
