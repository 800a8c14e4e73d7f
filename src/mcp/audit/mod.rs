//! Records calls: one line each in the log, and in the audit log if there is one.
//! Neither contains arguments or results.

mod file;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rmcp::model::CallToolResponse;
use rmcp::service::{RequestContext, RoleServer};
use serde::Serialize;

use crate::reference::ComponentId;
use crate::runtime::Denial;
use crate::schema;

use super::transport::Caller;

pub use file::{AuditError, AuditLog};

/// Most characters of a name that a client chose.
const NAME: usize = 128;

/// One call; it is recorded when it has ended.
pub(super) struct Call {
    tool: String,
    /// The server's own tool through which the client called it.
    via: Option<&'static str>,
    caller: Caller,
    client: Option<Client>,
    began: Instant,
    /// The component that owns the tool, or that the server's own tool was about.
    pub component: Option<ComponentId>,
    /// The code of the call's error.
    pub code: Option<&'static str>,
    pub denials: Vec<Denial>,
}

/// Name and version that the client reports.
#[derive(Serialize)]
struct Client {
    name: String,
    version: String,
}

/// A line of the audit log; its fields are documented.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(serialize_with = "micros")]
    time: Timestamp,
    event: &'static str,
    tool: &'a str,
    via: Option<&'a str>,
    component: Option<&'a ComponentId>,
    outcome: Outcome,
    code: Option<&'a str>,
    duration_us: u64,
    denials: &'a [Denial],
    transport: &'a str,
    session: Option<&'a str>,
    client: Option<&'a Client>,
    credential: Option<&'a str>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// It returned a result.
    Ok,
    /// It returned an error to the agent.
    Failed,
    /// There is no such tool.
    Refused,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
        }
    }
}

/// Text that the client chose, cleaned and shortened for one line.
fn bounded(text: &str) -> String {
    schema::clean_text(text, NAME)
}

/// RFC 3339 in UTC, always with six decimals, so that lines sort.
fn micros<S: serde::Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.6}"))
}

impl Call {
    pub(super) fn begin(tool: &str, context: &RequestContext<RoleServer>) -> Self {
        let client = context.peer.peer_info().map(|peer| Client {
            name: bounded(&peer.client_info.name),
            version: bounded(&peer.client_info.version),
        });
        Call {
            tool: bounded(tool),
            via: None,
            caller: Caller::of(&context.extensions),
            client,
            began: Instant::now(),
            component: None,
            code: None,
            denials: Vec::new(),
        }
    }

    /// Sets the tool that is run, and the server's own tool through which it was
    /// called.
    pub(super) fn reaches(&mut self, tool: &str, via: Option<&'static str>) {
        self.tool = bounded(tool);
        self.via = via;
    }

    /// Records the call, which ends now.
    pub(super) fn end<E>(&self, response: &Result<CallToolResponse, E>, file: Option<&AuditLog>) {
        let outcome = match response {
            Ok(CallToolResponse::Complete(result)) if result.is_error == Some(true) => {
                Outcome::Failed
            }
            Ok(_) => Outcome::Ok,
            Err(_) => Outcome::Refused,
        };
        let duration = self.began.elapsed();
        self.log(outcome, duration);
        if let Some(file) = file {
            file.write(&self.line(outcome, duration));
        }
    }

    fn line(&self, outcome: Outcome, duration: Duration) -> Line<'_> {
        Line {
            time: Timestamp::now(),
            event: "call",
            tool: &self.tool,
            via: self.via,
            component: self.component.as_ref(),
            outcome,
            code: self.code,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            denials: &self.denials,
            transport: self.caller.transport,
            session: self.caller.session.as_deref(),
            client: self.client.as_ref(),
            credential: self.caller.credential.as_deref(),
        }
    }

    fn log(&self, outcome: Outcome, duration: Duration) {
        // Guests choose these texts; formatting them with quotes keeps them on one
        // line.
        let denials = (!self.denials.is_empty()).then(|| {
            let denials = self.denials.iter();
            let texts: Vec<String> = denials
                .map(|denial| format!("{:?} `{}`", denial.kind, denial.what))
                .collect();
            texts.join(", ")
        });
        tracing::info!(
            target: "wassette::audit",
            tool = self.tool,
            via = self.via,
            component = self.component.as_ref().map(ComponentId::as_str),
            outcome = outcome.name(),
            code = self.code,
            duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            denials,
            transport = self.caller.transport,
            "call"
        );
    }
}
