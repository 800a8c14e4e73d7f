//! The limits of one call, each from the component's policy or from the server.

mod answers;
mod crossing;
mod gate;
mod memory;
mod met;
mod pace;
mod total;

use std::time::Duration;

use wasmtime::Store;

use super::RuntimeOptions;
use super::sandbox::Guest;
use crate::policy::{CpuShare, Limits};

pub use answers::{Answers, Kept, NoRoom, Reader};
pub(super) use crossing::{Crossing, JSON, VALUES};
pub(super) use gate::Gate;
pub(super) use memory::{
    INSTANCES_OF_ONE, Limiter, MEMORIES, POOL_TABLE_ELEMENTS, Pieces, Refused, TABLES,
};
pub use met::{Exceeded, LimitMet, SetBy};
pub(super) use pace::{Pace, Turns};
pub(super) use total::SetAside;
pub use total::{MemoryShare, TotalMemory, machine_memory};

/// Stack of a guest in bytes, enough for recursive interpreters.
pub(super) const GUEST_STACK: usize = 1 << 20;
/// Most host resources of a guest at a time: streams, timers, header maps. Each takes
/// at most some tens of kilobytes, and those that may take kilobytes count as the
/// guest's memory.
pub(super) const RESOURCES: usize = 10_000;
/// Most handles of a guest at a time, including those to the component's own
/// resources.
pub(super) const HANDLES: usize = 100_000;
/// Most bytes of randomness in one host call; more would block the thread for too
/// long.
pub(super) const RANDOM: u64 = 4 << 20;
/// Most calls of a component in flight, unless its policy sets a limit.
pub(super) const INSTANCES: u32 = 64;

/// A limit and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit<T> {
    pub value: T,
    pub by: SetBy,
}

impl<T> Limit<T> {
    /// Returns the policy's limit if there is one, whether higher or lower: a grant to one
    /// component overrides the server's setting for all.
    fn of(policy: Option<T>, server: T) -> Self {
        match policy {
            Some(value) => Limit {
                value,
                by: SetBy::Policy,
            },
            None => Limit {
                value: server,
                by: SetBy::Server,
            },
        }
    }
}

/// The limits of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallLimits {
    /// Bytes of linear memory and tables.
    pub memory: Limit<u64>,
    /// Bytes of the result's JSON, and separately of the printed text.
    pub output: Limit<u64>,
    pub time: Limit<Duration>,
    /// Most calls of the component in flight.
    pub instances: Limit<u32>,
    pub cpu: Option<CpuShare>,
}

impl CallLimits {
    pub fn new(policy: &Limits, server: &RuntimeOptions) -> Self {
        CallLimits {
            memory: Limit::of(policy.memory, server.memory_limit),
            output: Limit::of(policy.output, server.output_limit),
            time: Limit::of(policy.time, server.call_timeout),
            instances: Limit::of(policy.instances, INSTANCES),
            cpu: policy.cpu,
        }
    }

    /// Sets the limits that wasmtime enforces; `crossing` is its fuel for values that
    /// the guest passes to the host.
    pub fn apply(store: &mut Store<Guest>, crossing: usize) {
        store.limiter(|guest| &mut guest.limiter);
        store.set_max_component_handles(HANDLES);
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(HANDLES);
        }
        store.set_hostcall_fuel(crossing);
    }

    /// Returns the source of the limit that was exceeded.
    pub fn set_by(&self, exceeded: &Exceeded) -> SetBy {
        match exceeded {
            Exceeded::Time { .. } => self.time.by,
            Exceeded::Instances { .. } => self.instances.by,
            Exceeded::Memory(_) => self.memory.by,
            Exceeded::Result(_) | Exceeded::Values(_) | Exceeded::Printed(_) => self.output.by,
            _ => SetBy::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_goes_before_the_server() {
        let of = |policy| Limit::of(policy, 5);
        assert_eq!((of(None).value, of(None).by), (5, SetBy::Server));
        for policy in [1, 9] {
            let limit = of(Some(policy));
            assert_eq!((limit.value, limit.by), (policy, SetBy::Policy));
        }
    }
}
