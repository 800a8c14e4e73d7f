use std::io::Read;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::error::{Class, Diagnose};
use crate::runtime::Returned;
use crate::service::denied::{Denied, DeniedCall};

use super::arguments;
use super::output::{self, Format, Present};
use super::{Failure, Global, Opening, block_on, parse_timeout, usage};

/// Most bytes of arguments to read from standard input.
const ARGS_LIMIT: u64 = 64 * 1024 * 1024;

/// Call one tool, without a server
#[derive(Args)]
#[command(
    override_usage = "wassette [OPTIONS] call [--call-timeout TIME] TOOL [--NAME VALUE]...",
    after_help = "\
After the tool's name, options are the tool's own: `wassette tools TOOL` shows
them. Only --args, --call-timeout and the short options may stand there as well;
after --args, no option is the tool's.
A value is a text where the tool takes one, and JSON otherwise.

Examples:
  wassette call add --a 1 --b 2
  wassette call add --args '{\"a\": 1, \"b\": 2}'
  echo '{\"text\": \"hi\"}' | wassette call shout --args -"
)]
pub struct Call {
    /// Name of the tool, as `wassette list` shows it, and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "TOOL [--NAME VALUE]"
    )]
    words: Vec<String>,

    /// All arguments as a JSON object; `-` reads them from standard input
    #[arg(long, value_name = "JSON")]
    args: Option<String>,

    /// How long the call may take, as in `30s` or `5m` [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    call_timeout: Option<Duration>,
}

#[derive(Serialize)]
struct Answer {
    result: Value,
}

impl Call {
    /// Takes the command's own options from the words after the tool's name.
    pub(super) fn take_options(&mut self, global: &mut Global) -> Result<(), Failure> {
        let is_args = |word: &String| word == "--args" || word.starts_with("--args=");
        // With `--args`, the tool has no options of its own.
        let has_args = self.args.is_some() || self.words.iter().skip(1).any(is_args);
        let mut words = std::mem::take(&mut self.words).into_iter();
        self.words.extend(words.next());
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let mut value = || {
                let value = value.clone().or_else(|| words.next());
                value.ok_or_else(|| wrong(format!("a value is required for '{option}'")))
            };
            match option {
                "--args" => self.args = Some(value()?),
                "--call-timeout" => {
                    let time = value()?;
                    let parsed = parse_timeout(&time);
                    let told =
                        |error| wrong(format!("invalid value '{time}' for '{option}': {error}"));
                    self.call_timeout = Some(parsed.map_err(told)?);
                }
                "--offline" if has_args => global.offline = true,
                "--root" if has_args => global.root = Some(value()?.into()),
                "--output" | "-o" if has_args || option == "-o" => {
                    let name = value()?;
                    let format = Format::from_str(&name, true);
                    let told = |_| wrong(format!("invalid value '{name}' for '{option}'"));
                    global.output = format.map_err(told)?;
                }
                // The log was set up before this.
                "-v" | "-vv" => {}
                _ => self.words.push(word),
            }
        }
        Ok(())
    }

    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let given = self.args.as_deref().map(object).transpose()?;
        let service = global.open(Opening {
            call_timeout: self.call_timeout,
            ..Opening::default()
        })?;
        service.offer_installed()?;
        let [name, words @ ..] = &*self.words else {
            return Err(wrong("the name of a tool is required".into()));
        };
        let args = match (given, words) {
            (Some(args), []) => args,
            (Some(_), _) => {
                return Err(wrong("`--args` holds all arguments: give no others".into()));
            }
            (None, words) => match service.toolbox().get(name) {
                Some(tool) => arguments::parse(&tool, words)?,
                None => return Err(service.unknown_tool(name).into()),
            },
        };
        let never = CancellationToken::new();
        let report = block_on(async { Ok(service.call(name, args, &never).await) })?;
        for respelled in &report.respelled {
            let path = respelled.path.trim_start_matches("args.");
            output::warn(&format!("`{path}` was taken for `{}`", respelled.name));
        }
        match report.outcome {
            Ok(Returned::Ok(Value::String(text))) if global.output == Format::Table => {
                Ok(output::print_text(&text)?)
            }
            Ok(Returned::Ok(result)) => Ok(output::print(&Answer { result }, global.output)?),
            Ok(Returned::Err(value)) => {
                let tool = name.clone();
                Err(failure(ToolError { tool, value }, report.denied))
            }
            Err(error) => Err(failure(error, report.denied)),
        }
    }
}

fn wrong(message: String) -> Failure {
    usage::conflict("call", message)
}

/// Parses the arguments as a JSON object; `-` reads it from standard input.
fn object(text: &str) -> Result<Map<String, Value>, BadArguments> {
    let mut read = String::new();
    let text = match text {
        "-" => {
            let mut stdin = std::io::stdin().take(ARGS_LIMIT);
            let all = stdin.read_to_string(&mut read);
            all.map_err(BadArguments::Unreadable)?;
            &read
        }
        text => text,
    };
    // Windows programs write a byte order mark at the beginning.
    serde_json::from_str(crate::text::without_bom(text)).map_err(BadArguments::NotAnObject)
}

/// The error together with the denials of the call.
fn failure<E: Diagnose + 'static>(error: E, denied: Vec<Denied>) -> Failure {
    Box::new(DeniedCall { error, denied })
}

impl Present for Answer {
    fn table(&self) -> String {
        format!("{:#}", self.result)
    }
}

#[derive(Debug, thiserror::Error)]
enum BadArguments {
    #[error("Failed to read the arguments from standard input")]
    Unreadable(#[source] std::io::Error),
    #[error("The arguments are not a JSON object")]
    NotAnObject(#[source] serde_json::Error),
}

impl Diagnose for BadArguments {
    fn code(&self) -> &'static str {
        "invalid-arguments"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("write them as in `--args '{\"name\": \"value\"}'`".into())
    }
}

/// The function returned the error case of its `result`.
#[derive(Debug, thiserror::Error)]
#[error("The tool `{tool}` returned an error")]
struct ToolError {
    tool: String,
    value: Value,
}

impl Diagnose for ToolError {
    fn code(&self) -> &'static str {
        "tool-error"
    }

    fn class(&self) -> Class {
        Class::Call
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![("error", self.value.to_string())]
    }
}
