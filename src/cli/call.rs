use std::io::Read;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::error::{Class, Diagnose};
use crate::runtime::Returned;
use crate::service::denied::{Denied, DeniedCall};

use super::output::{self, Present};
use super::{Failure, Global, Opening, block_on};

/// The most bytes of arguments to read from standard input.
const ARGS_LIMIT: u64 = 64 * 1024 * 1024;

/// Call one tool, without a server
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette call add --args '{\"a\": 1, \"b\": 2}'
  echo '{\"text\": \"hi\"}' | wassette call shout --args -")]
pub struct Call {
    /// Name of the tool, as `wassette list` shows it
    tool: String,

    /// Arguments as a JSON object; `-` reads them from standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    args: String,

    /// Seconds the call may take [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    call_timeout: Option<u64>,
}

#[derive(Serialize)]
struct Answer {
    result: Value,
}

impl Call {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let args = self.arguments()?;
        let service = global.open(Opening {
            call_timeout: self.call_timeout.map(Duration::from_secs),
            ..Opening::default()
        })?;
        service.offer_installed()?;
        let never = CancellationToken::new();
        let report = block_on(async { Ok(service.call(&self.tool, &args, &never).await) })?;
        match report.outcome {
            Ok(Returned::Ok(result)) => {
                output::print(&Answer { result }, global.output);
                Ok(())
            }
            Ok(Returned::Err(value)) => {
                let tool = self.tool;
                Err(failure(ToolError { tool, value }, report.denied))
            }
            Err(error) => Err(failure(error, report.denied)),
        }
    }

    fn arguments(&self) -> Result<Map<String, Value>, BadArguments> {
        let mut text = self.args.clone();
        if text == "-" {
            text.clear();
            let mut stdin = std::io::stdin().take(ARGS_LIMIT);
            stdin
                .read_to_string(&mut text)
                .map_err(BadArguments::Unreadable)?;
        }
        serde_json::from_str(&text).map_err(BadArguments::NotAnObject)
    }
}

/// The error, and what the component was denied before it.
fn failure<E: Diagnose + 'static>(error: E, denied: Vec<Denied>) -> Failure {
    Box::new(DeniedCall { error, denied })
}

impl Present for Answer {
    /// A string as it is, anything else as JSON.
    fn table(&self) -> String {
        match &self.result {
            Value::String(text) => text.clone(),
            other => format!("{other:#}"),
        }
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
