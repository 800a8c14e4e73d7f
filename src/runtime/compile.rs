//! The compiler process.
//!
//! The server never compiles in its own process: it runs this program with the hidden
//! subcommand `compile`, so that a hostile component can neither crash the server nor
//! exhaust its memory. The server starts one such process ahead, which waits for its
//! task on standard input. Each process compiles one component and ends.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

use serde::{Deserialize, Serialize};
use wasmtime::Engine;

use super::cache::{self, Key};
use super::engine::{self, Tier};
use super::error::CompileError;
use crate::digest::Digest;

/// Limit of a compiler process's data segment, in bytes; the largest known component
/// takes a tenth.
#[cfg(unix)]
const MEMORY: u64 = 4 << 30;
/// CPU seconds per processor that a compiler process may take.
#[cfg(unix)]
const CPU: u64 = 600;
/// Nice value of a compiler whose result no call waits for.
#[cfg(unix)]
const NICE: i32 = 10;
/// Largest task in bytes: two paths and some JSON.
const LONGEST_TASK: u64 = 64 << 10;
/// Exit code of a compiler whose server has ended; no one reads it.
const ORPHANED: i32 = 1;

/// One component to compile, sent to the compiler process as a line of JSON on
/// standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub tier: Tier,
    pub priority: Priority,
    pub component: PathBuf,
    /// Path to write the code to.
    pub code: PathBuf,
}

/// Whether a call waits for the code; if not, the compiler lowers its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// A call waits for the code.
    Awaited,
    Background,
}

impl Priority {
    /// Returns the name on the command line of the compiler process.
    pub fn name(self) -> &'static str {
        match self {
            Priority::Awaited => "awaited",
            Priority::Background => "background",
        }
    }
}

/// Runs the compiler process: limits its own resources, reads its task and compiles.
/// The process ends when its standard input is closed, which happens however the
/// server that holds the other end dies.
///
/// # Errors
///
/// A [`CompileError`]; the process prints its message to standard error.
pub(super) fn main() -> Result<(), CompileError> {
    restrain();
    let engines = [Tier::Baseline, Tier::Optimised].map(|tier| (tier, engine::compiling(tier)));
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST_TASK).read_line(&mut line);
    let task = read.and_then(|_| serde_json::from_str(&line).map_err(io::Error::from));
    let task: Task = match task {
        // The server ended before it had a task.
        _ if line.is_empty() => process::exit(ORPHANED),
        task => task.map_err(|source| CompileError::Io {
            path: "standard input".into(),
            source,
        })?,
    };
    end_with_input();
    step_back(task.priority);
    let engine = engines.into_iter().find(|(tier, _)| *tier == task.tier);
    // `engines` has both tiers, so the fallback is never used.
    let engine = engine.map_or_else(|| engine::compiling(task.tier), |(_, engine)| engine);
    compile(&engine.map_err(CompileError::engine)?, &task)
}

fn end_with_input() {
    thread::spawn(|| {
        // Nothing follows the task: this returns when the server closes the pipe.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(ORPHANED);
    });
}

/// Resource limits protect the machine; compiling works without them.
#[cfg(unix)]
fn restrain() {
    use rustix::process::Resource;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    limit(Resource::Data, MEMORY);
    limit(Resource::Cpu, CPU * cores);
}

#[cfg(unix)]
fn step_back(priority: Priority) {
    if priority == Priority::Background {
        let _ = rustix::process::nice(NICE);
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
fn restrain() {}

#[cfg(not(unix))]
fn step_back(_: Priority) {}

/// Compiles a component and puts the sealed code in place with one rename.
pub(super) fn compile(engine: &Engine, task: &Task) -> Result<(), CompileError> {
    let (input, output) = (&task.component, &task.code);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CompileError::Io { path, source }
    };
    let wasm = fs::read(input).map_err(io(input))?;
    let image = engine
        .precompile_component(&wasm)
        .map_err(|source| CompileError::Refused {
            tier: task.tier,
            message: format!("{source:#}"),
        })?;
    let key = Key {
        component: Digest::of(&wasm),
        engine: cache::engine_hash(engine),
    };

    let directory = output.parent().unwrap_or(Path::new("."));
    // `NamedTempFile` creates the file with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(io(directory))?;
    cache::write(file.as_file_mut(), &image, &key).map_err(io(output))?;
    file.flush().map_err(io(output))?;
    // Without a sync, a crash of the machine could leave a file with the right size
    // and time but without its bytes.
    file.as_file().sync_all().map_err(io(output))?;
    file.persist(output)
        .map_err(|error| io(output)(error.error))?;
    Ok(())
}
