//! The command line: one file per command, each a thin face of a verb of
//! [`crate::service`].

mod age;
mod authorities;
mod cache;
mod call;
mod changes;
mod compile;
mod completions;
mod consent;
mod credentials;
mod doctor;
mod inspect;
mod list;
mod load;
mod login;
mod logout;
mod outdated;
mod output;
mod permission;
mod policy;
mod progress;
mod registry;
mod rollback;
mod secret;
mod serve;
mod terminal;
mod unload;
mod update;

use std::future::Future;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::{Class, Diagnose, Report};
use crate::mcp;
use crate::net::Network;
use crate::registry::{CredentialOptions, Given};
use crate::service::{self, Audience, Service, ServiceOptions};

use output::Format;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed for a reason without a code of its own
  2  the command line or an argument is wrong
  3  a component, tool, file or artifact was not found
  4  a host could not be reached, or refused
  5  verification failed
  6  not a component this program can run
  7  the tool ran and failed

Examples:
  wassette load --uri oci://ghcr.io/microsoft/time-server-js:latest
  wassette call get-current-time --args '{}'
  wassette serve --transport sse --bind 127.0.0.1:8089";

/// Any WebAssembly component as tools for an AI agent: verified, sandboxed, in one call
#[derive(Parser)]
#[command(name = "wassette", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// Directory that holds components and configuration [default: ~/.wassette]
    #[arg(
        long,
        global = true,
        env = "WASSETTE_ROOT",
        value_name = "DIR",
        hide_env_values = true
    )]
    root: Option<PathBuf>,

    /// How data and errors are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,

    /// Fetch nothing from other hosts; what is installed works, and so do files
    #[arg(
        long,
        global = true,
        env = "WASSETTE_OFFLINE",
        hide_env_values = true,
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    offline: bool,

    /// Say more; twice for all there is (RUST_LOG is honoured too)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    Load(load::Load),
    Unload(unload::Unload),
    List(list::List),
    Outdated(outdated::Outdated),
    Update(update::Update),
    Rollback(rollback::Rollback),
    Inspect(inspect::Inspect),
    Call(call::Call),
    Cache(cache::Cache),
    Doctor(doctor::Doctor),
    Registry(registry::Registry),
    Login(login::Login),
    Logout(logout::Logout),
    Policy(policy::Policy),
    Permission(permission::Permission),
    Secret(secret::Secret),
    Serve(serve::Serve),
    Completions(completions::Completions),
    Compile(compile::Compile),
}

/// Why a command ended without success.
type Failure = Box<dyn Diagnose>;

impl<E: Diagnose + 'static> From<E> for Box<dyn Diagnose> {
    fn from(error: E) -> Self {
        Box::new(error)
    }
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(&cli);
    let format = cli.global.output;
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&Report::new(error.as_ref()), format);
            ExitCode::from(error.class().exit_code())
        }
    }
}

impl Cli {
    fn run(self) -> Result<(), Failure> {
        let global = &self.global;
        match self.command {
            Command::Load(command) => command.run(global),
            Command::Unload(command) => command.run(global),
            Command::List(command) => command.run(global),
            Command::Outdated(command) => command.run(global),
            Command::Update(command) => command.run(global),
            Command::Rollback(command) => command.run(global),
            Command::Inspect(command) => command.run(global),
            Command::Call(command) => command.run(global),
            Command::Cache(command) => command.run(global),
            Command::Doctor(command) => command.run(global),
            Command::Registry(command) => command.run(global),
            Command::Login(command) => command.run(global),
            Command::Logout(command) => command.run(global),
            Command::Policy(command) => command.run(global),
            Command::Permission(command) => command.run(global),
            Command::Secret(command) => command.run(global),
            Command::Serve(command) => command.run(global),
            Command::Completions(command) => command.run(&mut Cli::command()),
            Command::Compile(command) => command.run(),
        }
    }
}

/// What commands want of a root in different ways.
#[derive(Default)]
struct Opening {
    /// In place of the configuration's.
    call_timeout: Option<Duration>,
    /// Credentials for one registry.
    given: Option<Given>,
    /// CAs to trust as well.
    ca: Vec<PathBuf>,
    /// The server's own files, which no grant reaches.
    withheld: Vec<PathBuf>,
    /// From where agents reach the server.
    audience: Audience,
}

impl Global {
    /// Opens the root as the command wants it.
    fn open(&self, opening: Opening) -> Result<Arc<Service>, Failure> {
        let options = ServiceOptions {
            root: self.root()?,
            compiler: compiler()?,
            reserved: mcp::RESERVED_NAMES.map(str::to_owned).into(),
            call_timeout: opening.call_timeout,
            network: if self.offline {
                Network::Off
            } else {
                Network::On
            },
            credentials: CredentialOptions {
                given: opening.given,
                ..CredentialOptions::of_the_user()
            },
            ca_files: opening.ca,
            withheld: opening.withheld,
            audience: opening.audience,
        };
        Ok(Service::open(options)?)
    }

    fn root(&self) -> Result<PathBuf, SetupError> {
        match &self.root {
            Some(root) => std::path::absolute(root).map_err(SetupError::Executable),
            None => std::env::home_dir()
                .filter(|home| home.is_absolute())
                .map(|home| home.join(".wassette"))
                .ok_or(SetupError::NoHome),
        }
    }
}

/// This program, to be run again as a compiler. On Linux the running image
/// itself, even after an upgrade has put another file in its place.
fn compiler() -> Result<PathBuf, SetupError> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe().map_err(SetupError::Executable)
}

/// Why the program could not even begin.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error("There is no home directory to keep components in")]
    NoHome,
    #[error("The program cannot find itself or its working directory")]
    Executable(#[source] std::io::Error),
    #[error("Failed to start the asynchronous runtime")]
    Runtime(#[source] std::io::Error),
}

impl Diagnose for SetupError {
    fn code(&self) -> &'static str {
        "setup-failed"
    }

    fn class(&self) -> Class {
        Class::Other
    }

    fn hint(&self) -> Option<String> {
        matches!(self, SetupError::NoHome)
            .then(|| "name a directory with `--root` or WASSETTE_ROOT".into())
    }
}

/// Runs one command's future; an interrupt drops it, which undoes its work.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(SetupError::Runtime)?;
    runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = interrupted() => Err(Interrupted.into()),
        }
    })
}

#[derive(Debug, thiserror::Error)]
#[error("Interrupted")]
struct Interrupted;

impl Diagnose for Interrupted {
    fn code(&self) -> &'static str {
        "interrupted"
    }

    fn class(&self) -> Class {
        Class::Other
    }
}

/// Ends at the first SIGINT or SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without a handler the system's own ending of the process is right.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Logs go to stderr: stdout carries data, or the MCP stream.
fn start_logging(cli: &Cli) {
    let debug = matches!(&cli.command, Command::Login(login) if login.debug);
    let verbose = cli.global.verbose.max(debug.into());
    let level = match (verbose, &cli.command) {
        // Protocol faults of a client are answered; they are no news here.
        (0, Command::Serve(_)) => "wassette=info,rmcp=error,warn",
        (0, _) => "warn",
        (1, _) => "wassette=debug,warn",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let written = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(verbose > 0)
        .without_time();
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(repeats_no_guest))
        .with(written)
        .init();
}

/// Libraries that guests speak through. Their traces repeat paths, headers and
/// file names as guests gave them, with the secrets in them, and the queries of
/// signed addresses: nothing that asks for those traces gets them.
const REPEATING: [&str; 6] = ["wasmtime", "hyper", "h2", "rustls", "tokio_rustls", "want"];

fn repeats_no_guest(of: &Metadata<'_>) -> bool {
    let library = of.target().split("::").next().unwrap_or_default();
    let repeats = REPEATING.iter().any(|name| {
        let family = library.strip_prefix(name);
        family.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    });
    !repeats || *of.level() <= Level::INFO
}

/// Takes a reference from the command line: an address or a plain path.
fn parse_reference(text: &str) -> Result<crate::reference::Reference, Failure> {
    let cwd = std::env::current_dir().map_err(SetupError::Executable)?;
    let reference = crate::reference::Reference::parse(text, &cwd);
    Ok(reference.map_err(service::Error::from)?)
}
