//! The command line: one file per command, which calls an operation of
//! [`crate::service`] and prints the outcome.

mod allocator;
mod arguments;
mod authorities;
mod cache;
mod call;
mod changes;
mod compile;
mod completions;
mod consent;
mod credentials;
mod doctor;
mod fleet;
mod hangup;
mod help;
mod inspect;
mod interrupt;
mod key;
mod list;
mod load;
mod logging;
mod login;
mod logout;
mod opening;
mod outdated;
mod output;
mod permission;
mod policy;
mod progress;
mod registry;
mod rollback;
mod screen;
mod secret;
mod serve;
mod sign;
mod signers;
mod table;
mod terminal;
mod tools;
mod trust;
mod unload;
mod update;
mod usage;
mod validate;
mod verify;

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::catalog::{Catalog, Located};
use crate::error::{Class, Diagnose, Report};
use crate::policy::{InvalidPermission, parse_duration};
use crate::reference::Reference;
use crate::service;

use interrupt::{Interrupted, interrupted};
use logging::Targets;
use opening::{Opening, Root, SetupError};
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
  130, 143  interrupted, terminated

Examples:
  wassette load oci://ghcr.io/microsoft/time-server-js:latest
  wassette tools get-current-time
  wassette call get-current-time
  wassette apply -f fleet.yaml
  wassette serve --transport sse --bind 127.0.0.1:8089";

/// Any WebAssembly component as tools for an AI agent: verified, sandboxed, in one call
#[derive(Parser)]
#[command(
    name = "wassette",
    version,
    after_help = format!("{EXIT_CODES}\n\n{}", help::topics()),
    max_term_width = 100,
    disable_help_subcommand = true
)]
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
    Apply(fleet::apply::Apply),
    Diff(fleet::diff::Diff),
    Export(fleet::export::Export),
    Lock(fleet::lock::Lock),
    Manifest(fleet::manifest::Manifest),
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Trust(trust::Trust),
    Sign(sign::Sign),
    Key(key::Key),
    Tools(tools::Tools),
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
    Help(help::Help),
}

/// The reason why a command failed.
type Failure = Box<dyn Diagnose>;

impl<E: Diagnose + 'static> From<E> for Box<dyn Diagnose> {
    fn from(error: E) -> Self {
        Box::new(error)
    }
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // Handled before clap, so that it is in no help, completion or suggestion.
    if args.get(1).is_some_and(|name| name == compile::NAME) {
        logging::start("warn", Targets::Hidden);
        let compile = compile::Compile::parse_from(&args[1..]);
        return end(compile.run(), Format::Table);
    }
    let mut cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let format = usage::format(&args);
            return end(usage::end(error), format);
        }
    };
    cli.start_logging();
    if let Command::Call(call) = &mut cli.command
        && let Err(error) = call.take_options(&mut cli.global)
    {
        return end(Err(error), usage::format(&args));
    }
    let format = cli.global.output;
    end(cli.run(), format)
}

/// Prints why a command failed, and returns the exit code.
fn end(result: Result<(), Failure>, format: Format) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    output::print_error(&Report::new(error.as_ref()), format);
    match error.class() {
        Class::Interrupted | Class::Terminated => interrupt::end(error.class()),
        class => ExitCode::from(class.exit_code()),
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
            Command::Apply(command) => command.run(global),
            Command::Diff(command) => command.run(global),
            Command::Export(command) => command.run(global),
            Command::Lock(command) => command.run(global),
            Command::Manifest(command) => command.run(),
            Command::Inspect(command) => command.run(global),
            Command::Verify(command) => command.run(global),
            Command::Trust(command) => command.run(global),
            Command::Sign(command) => command.run(global),
            Command::Key(command) => command.run(global),
            Command::Tools(command) => command.run(global),
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
            Command::Help(command) => command.run(&mut Cli::command()),
        }
    }

    fn start_logging(&self) {
        let debug = matches!(&self.command, Command::Login(login) if login.debug);
        let verbose = self.global.verbose.max(debug.into());
        let levels = match (verbose, &self.command) {
            // The server answers violations of the protocol; by default it does not
            // log them.
            (0, Command::Serve(_)) => "wassette=info,rmcp=error,warn",
            (0, _) => "warn",
            (1, _) => "wassette=debug,warn",
            _ => "trace",
        };
        let targets = match verbose {
            0 => Targets::Hidden,
            _ => Targets::Shown,
        };
        logging::start(levels, targets);
    }
}

/// Runs one command's future; an interrupt drops the future, which undoes its work.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(SetupError::Runtime)?;
    let ended = runtime.block_on(async {
        tokio::select! {
            result = work => Ok(result),
            signal = interrupted() => Err(signal),
        }
    });
    match ended {
        Ok(result) => result,
        Err(signal) => {
            // File work that has begun may end, but a wait for a lock does not hold up
            // the program's end.
            runtime.shutdown_timeout(Duration::from_secs(2));
            Err(Interrupted(signal).into())
        }
    }
}

/// Parses how long a call may take; a number without a unit means seconds.
fn parse_timeout(text: &str) -> Result<Duration, InvalidPermission> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => parse_duration(text),
    }
}

/// Parses a reference or path from the command line.
fn parse_reference(text: &str) -> Result<Reference, Failure> {
    let cwd = std::env::current_dir().map_err(SetupError::Executable)?;
    Ok(Reference::parse(text, &cwd).map_err(service::Error::from)?)
}

/// Like [`parse_reference`], but a bare word is a name of the catalog.
fn parse_source(text: &str, global: &Global) -> Result<Located, Failure> {
    if !Catalog::is_name(text) {
        return Ok(Located {
            reference: parse_reference(text)?,
            digest: None,
        });
    }
    let cwd = std::env::current_dir().map_err(SetupError::Executable)?;
    Ok(service::catalog_of(&global.root()?)?.locate(text, &cwd)?)
}
