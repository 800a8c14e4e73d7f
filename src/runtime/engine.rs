//! The wasmtime engines: one configuration per tier, created at first use.

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

/// Most frames in a trap's backtrace.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(20).unwrap();
/// Stack of the fiber on which a guest and its host functions run, in bytes.
const FIBER_STACK: usize = 2 << 20;

/// Most instances alive at once in one pooling engine.
const POOL_INSTANCES: u32 = 1000;
/// A component is linked from several core modules: its own and its adapters'.
const POOL_CORE_INSTANCES: u32 = 4 * POOL_INSTANCES;
const POOL_TABLES: u32 = 4 * POOL_INSTANCES;
/// The most that one component instance may take of the pool. All calls that a component may have
/// in flight take at most a quarter of it. Larger components get memory outside the pool.
const CORE_INSTANCES: u32 = 15;
const TABLES: u32 = 15;
const MEMORIES: u32 = 3;
/// Most calls outside the pools at once: in total, and of one component.
pub(super) const APART: usize = 256;
pub(super) const APART_OF_ONE: u32 = 32;
/// Heaps for garbage-collected languages; few components need one.
const POOL_GC_HEAPS: u32 = 100;
/// Bytes of a used slot that stay resident, so that the next call takes no page
/// faults.
const KEEP_MEMORY: usize = 1 << 20;
const KEEP_TABLE: usize = 16 << 10;
const KEEP_STACK: usize = 16 << 10;
/// Used slots kept per component; the memory of further ones is given back.
const WARM_SLOTS: u32 = 32;

/// The compiler of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Winch, for the first calls: it compiles in a fifth of the time.
    Baseline,
    /// Cranelift, for the code that is kept.
    Optimised,
}

impl Tier {
    /// Returns the name on the command line of the compiler process.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Baseline => "baseline",
            Tier::Optimised => "optimised",
        }
    }

    /// Returns the tier with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Tier::Baseline, Tier::Optimised]
            .into_iter()
            .find(|tier| tier.name() == name)
    }
}

/// Returns the configuration of a tier, equal in the compiler process and in the server: every
/// setting is either part of the engine's compatibility hash or does not affect the code.
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
        // Function names come from the name section. An address map would double the
        // size of the code on disk.
        .generate_address_map(false);
    match tier {
        // Winch does not support asynchronous component functions.
        Tier::Baseline => config.strategy(Strategy::Winch).concurrency_support(false),
        Tier::Optimised => config
            .strategy(Strategy::Cranelift)
            .wasm_component_model_async(true),
    };
    config
}

/// Returns an engine that can only compile: it reserves no address space.
pub(super) fn compiling(tier: Tier) -> wasmtime::Result<Engine> {
    Engine::new(&config(tier))
}

/// The way in which an engine allocates its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allocation {
    /// In reserved slots that are reused, which takes microseconds per call.
    Pooled,
    /// With freshly mapped memory, for components that exceed a slot and for calls while the pool
    /// is full.
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

/// An engine that runs code, and the linker with the host functions.
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

    /// Returns the cache key of a component's code for this engine.
    pub fn key(&self, component: Digest) -> Key {
        Key {
            component,
            engine: self.hash,
        }
    }
}

/// The engines created so far.
#[derive(Default)]
pub(super) struct Engines {
    made: Mutex<Vec<(Tier, Allocation, Arc<Running>)>>,
    /// The hash of the optimising engine, computed without creating a running one.
    optimised: OnceLock<Digest>,
}

impl Engines {
    /// Returns the cache key of a component's optimised code.
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

    /// Returns the engine of a tier, created at first use; `ticker` then advances its epoch.
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
