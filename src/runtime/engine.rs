//! The engines: one configuration per tier, made at first use.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

use super::cache::{Key, engine_hash};
use super::error::CompileError;
use super::limits::{GUEST_STACK, POOL_TABLE_ELEMENTS};
use super::link;
use super::sandbox::Guest;
use super::ticker::Ticker;
use crate::digest::Digest;

/// Frames kept of a trap's backtrace.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(20).unwrap();
/// Stack of the fiber a guest and the host functions it calls run on, in bytes.
const FIBER_STACK: usize = 2 << 20;

/// Instances that can be alive at once in one engine.
const POOL_INSTANCES: u32 = 1000;
/// A component is linked from several core modules: its own and its adapters.
const POOL_CORE_INSTANCES: u32 = 4 * POOL_INSTANCES;
const POOL_TABLES: u32 = 4 * POOL_INSTANCES;
/// What one instance of a component may take of the pool: the calls that a
/// component may have in flight take no more than a quarter of it together.
/// Components that need more get memory of their own.
const CORE_INSTANCES: u32 = 15;
const TABLES: u32 = 15;
const MEMORIES: u32 = 3;
/// Calls at once outside the pools, and of one component.
pub(super) const APART: usize = 256;
pub(super) const APART_OF_ONE: u32 = 32;
/// Heaps of garbage-collected languages; few components have one.
const POOL_GC_HEAPS: u32 = 100;
/// Bytes kept resident in a used slot, so that the next call takes no page faults.
const KEEP_MEMORY: usize = 1 << 20;
const KEEP_TABLE: usize = 16 << 10;
const KEEP_STACK: usize = 16 << 10;
/// Used slots kept per component, beyond which their memory is given back.
const WARM_SLOTS: u32 = 32;

/// How a component is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Winch: compiles in a fifth of the time, for the first calls.
    Baseline,
    /// Cranelift: what is kept.
    Optimised,
}

impl Tier {
    /// The name on the command line of the compiler process.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Baseline => "baseline",
            Tier::Optimised => "optimised",
        }
    }

    /// The tier of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Tier::Baseline, Tier::Optimised]
            .into_iter()
            .find(|tier| tier.name() == name)
    }
}

/// The configuration of a tier, the same in the compiler process and in the server.
///
/// Everything set here is part of the engine's compatibility hash or does not
/// change the code.
fn config(tier: Tier) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        // Function names come from the name section; byte offsets would
        // double the size of the code on disk.
        .generate_address_map(false);
    match tier {
        // Winch compiles no asynchronous component functions.
        Tier::Baseline => config.strategy(Strategy::Winch).concurrency_support(false),
        Tier::Optimised => config
            .strategy(Strategy::Cranelift)
            .wasm_component_model_async(true),
    };
    config
}

/// An engine that only compiles: it reserves no address space.
pub(super) fn compiling(tier: Tier) -> wasmtime::Result<Engine> {
    Engine::new(&config(tier))
}

/// Where the instances of an engine live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allocation {
    /// In reserved slots that are reused: a call takes microseconds.
    Pooled,
    /// Each mapped anew, for components that need more than a slot, and where
    /// the pool is full.
    OnDemand,
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_INSTANCES)
        .total_core_instances(POOL_CORE_INSTANCES)
        .total_memories(POOL_INSTANCES)
        .total_tables(POOL_TABLES)
        .total_stacks(POOL_INSTANCES)
        .total_gc_heaps(POOL_GC_HEAPS)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_tables_per_component(TABLES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_module(TABLES)
        .max_memories_per_module(MEMORIES)
        .table_elements(POOL_TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE)
        .async_stack_keep_resident(KEEP_STACK)
        .max_unused_warm_slots(WARM_SLOTS)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// An engine that runs code, and the host functions guests can link with.
pub(super) struct Running {
    pub engine: Engine,
    pub linker: Linker<Guest>,
    pub allocation: Allocation,
    hash: Digest,
}

impl Running {
    fn new(tier: Tier, allocation: Allocation) -> wasmtime::Result<Self> {
        let mut config = config(tier);
        if allocation == Allocation::Pooled {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        }
        let engine = Engine::new(&config)?;
        let linker = link::linker(&engine)?;
        Ok(Running {
            hash: engine_hash(&engine),
            engine,
            linker,
            allocation,
        })
    }

    /// What code of a component must have been made from to run here.
    pub fn key(&self, component: Digest) -> Key {
        Key {
            component,
            engine: self.hash,
        }
    }
}

/// The engines made so far.
#[derive(Default)]
pub(super) struct Engines {
    made: Mutex<Vec<(Tier, Allocation, Arc<Running>)>>,
    /// Hash of the engine for optimised code, which needs no running one.
    optimised: OnceLock<Digest>,
}

impl Engines {
    /// What the optimised code of a component must have been made from.
    pub fn optimised_key(&self, component: Digest) -> Result<Key, CompileError> {
        let engine = match self.optimised.get() {
            Some(known) => *known,
            None => {
                let engine = compiling(Tier::Optimised).map_err(CompileError::engine)?;
                *self.optimised.get_or_init(|| engine_hash(&engine))
            }
        };
        Ok(Key { component, engine })
    }

    /// The engine of a tier, made now if need be and then driven by `ticker`.
    pub fn get(
        &self,
        tier: Tier,
        allocation: Allocation,
        ticker: &Ticker,
    ) -> Result<Arc<Running>, CompileError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made.iter().find(|(t, a, _)| (*t, *a) == (tier, allocation));
        if let Some((_, _, running)) = known {
            return Ok(Arc::clone(running));
        }
        let running = match (Running::new(tier, allocation), allocation) {
            (Ok(running), _) => running,
            (Err(error), Allocation::Pooled) => {
                tracing::debug!("no address space for a pool of instances: {error:#}");
                Running::new(tier, Allocation::OnDemand).map_err(CompileError::engine)?
            }
            (Err(error), Allocation::OnDemand) => return Err(CompileError::engine(error)),
        };
        ticker.drive(&running.engine);
        let running = Arc::new(running);
        made.push((tier, allocation, Arc::clone(&running)));
        Ok(running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_have_names() {
        for tier in [Tier::Baseline, Tier::Optimised] {
            assert_eq!(Tier::from_name(tier.name()), Some(tier));
        }
        assert_eq!(Tier::from_name("fast"), None);
    }

    #[test]
    fn allocation_is_no_part_of_the_compatibility() {
        let ticker = Ticker::default();
        let engines = Engines::default();
        for tier in [Tier::Baseline, Tier::Optimised] {
            let compiling = engine_hash(&compiling(tier).unwrap());
            for allocation in [Allocation::Pooled, Allocation::OnDemand] {
                let running = engines.get(tier, allocation, &ticker).unwrap();
                assert_eq!(engine_hash(&running.engine), compiling);
            }
        }
    }

    #[test]
    fn tiers_do_not_share_code() {
        let hash = |tier| engine_hash(&compiling(tier).unwrap());
        assert_ne!(hash(Tier::Baseline), hash(Tier::Optimised));
    }
}
