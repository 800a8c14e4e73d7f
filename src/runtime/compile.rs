//! What the compiler process does.
//!
//! The server never compiles: it runs this program again with the hidden
//! subcommand `compile`, so that a hostile component can take down neither the
//! server nor its memory.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::thread;

use super::cache::{self, Key};
use super::engine::{self, Tier};
use super::error::CompileError;
use crate::digest::Digest;

/// Bytes of data a compiler process may allocate; the largest known component
/// takes a tenth.
#[cfg(unix)]
const MEMORY: u64 = 4 << 30;
/// Seconds of each processor that a compiler process may take.
#[cfg(unix)]
const CPU: u64 = 600;
/// How much a compiler whose result no call waits for steps back.
#[cfg(unix)]
const NICE: i32 = 10;
/// Exit code of a compiler whose server is gone; nobody sees it.
const ORPHANED: i32 = 1;

/// How one compiler process behaves.
#[derive(Clone, Copy, Debug)]
pub struct CompilerOptions {
    pub tier: Tier,
    pub priority: Priority,
    pub lifetime: Lifetime,
}

/// Whether a compiler steps back for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A call waits for it.
    Awaited,
    Background,
}

impl Priority {
    /// The name on the command line of the compiler process.
    pub fn name(self) -> &'static str {
        match self {
            Priority::Awaited => "awaited",
            Priority::Background => "background",
        }
    }

    /// The priority of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Priority::Awaited, Priority::Background]
            .into_iter()
            .find(|priority| priority.name() == name)
    }
}

/// When a compiler ends at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// When it is done.
    OfItsWork,
    /// When its standard input ends, too: whoever started it holds the other
    /// end, and lets go of it in whatever way it dies.
    OfItsInput,
}

/// The whole of the compiler process: restrains itself, then compiles `input`
/// into `output`.
///
/// # Errors
///
/// A [`CompileError`] whose message the process prints to its error stream.
pub(super) fn main(
    options: CompilerOptions,
    input: &Path,
    output: &Path,
) -> Result<(), CompileError> {
    if options.lifetime == Lifetime::OfItsInput {
        end_with_input();
    }
    restrain(options.priority);
    compile(options.tier, input, output)
}

fn end_with_input() {
    thread::spawn(|| {
        // Nothing is ever written to it.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(ORPHANED);
    });
}

/// All this only makes the machine more pleasant; compiling works without.
#[cfg(unix)]
fn restrain(priority: Priority) {
    use rustix::process::{Resource, nice};
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    limit(Resource::Data, MEMORY);
    limit(Resource::Cpu, CPU * cores);
    if priority == Priority::Background {
        let _ = nice(NICE);
    }
}

#[cfg(unix)]
fn limit(resource: rustix::process::Resource, most: u64) {
    use rustix::process::{Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(resource).maximum;
    let limit = Rlimit {
        current: Some(maximum.map_or(most, |maximum| maximum.min(most))),
        maximum,
    };
    let _ = setrlimit(resource, limit);
}

#[cfg(not(unix))]
fn restrain(_: Priority) {}

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
