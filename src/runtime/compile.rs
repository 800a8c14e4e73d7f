//! What the compiler process does.
//!
//! The server never compiles: it runs this program again with the hidden
//! subcommand `compile`, so that a hostile component can take down neither the
//! server nor its memory.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::cache::{self, Key};
use super::engine::{self, Tier};
use super::error::CompileError;
use crate::digest::Digest;

/// Bytes of data a compiler process may allocate; the largest known component
/// takes a tenth.
#[cfg(unix)]
const MEMORY: u64 = 4 << 30;
/// How much the compiler whose result nobody waits for steps back.
#[cfg(unix)]
const NICE: i32 = 10;

/// The whole of the compiler process: lowers its own priority and memory
/// limit, then compiles `input` into `output`.
///
/// # Errors
///
/// A [`CompileError`] whose message the process prints to its error stream.
pub(super) fn main(tier: Tier, input: &Path, output: &Path) -> Result<(), CompileError> {
    restrain(tier);
    compile(tier, input, output)
}

#[cfg(unix)]
fn restrain(tier: Tier) {
    use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
    let maximum = getrlimit(Resource::Data).maximum;
    let limit = Rlimit {
        current: Some(maximum.map_or(MEMORY, |maximum| maximum.min(MEMORY))),
        maximum,
    };
    // Both only make the machine more pleasant; compiling works without.
    let _ = setrlimit(Resource::Data, limit);
    if tier == Tier::Optimised {
        let _ = nice(NICE);
    }
}

#[cfg(not(unix))]
fn restrain(_: Tier) {}

/// Compiles `input` and puts the sealed code at `output`, whole or not at all.
pub(super) fn compile(tier: Tier, input: &Path, output: &Path) -> Result<(), CompileError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CompileError::Io { path, source }
    };
    let wasm = fs::read(input).map_err(io(input))?;
    let engine = engine::compiling(tier).map_err(CompileError::engine)?;
    let image = engine
        .precompile_component(&wasm)
        .map_err(|source| CompileError::Refused {
            tier,
            message: format!("{source:#}"),
        })?;
    let key = Key {
        component: Digest::of(&wasm),
        engine: cache::engine_hash(&engine),
    };

    let directory = output.parent().unwrap_or(Path::new("."));
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(io(directory))?;
    cache::write(file.as_file_mut(), &image, &key).map_err(io(output))?;
    file.flush().map_err(io(output))?;
    if tier == Tier::Optimised {
        // It outlives the process: a crash of the machine must not leave a
        // file of the right size and time with nothing in it.
        file.as_file().sync_all().map_err(io(output))?;
    }
    file.persist(output)
        .map_err(|error| io(output)(error.error))?;
    Ok(())
}
