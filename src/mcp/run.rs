//! Runs the tool that a call names.

use rmcp::model::{CallToolResponse, CallToolResult};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value};

use super::audit::Call;
use super::builtin::{Answered, Builtin, Failure, Requested};
use super::convert::{self, Denials};
use super::elicitation::Elicitation;
use super::extras::{PassOver, Tolerated, pass_over};
use super::handler::{Handler, in_flight, room};
use super::progress::Reporter;
use crate::error::Diagnose;
use crate::http::InFlight;
use crate::reference::ComponentId;
use crate::runtime::{CallError, Client, Returned};
use crate::schema::Reach;
use crate::service::Error;

impl Handler {
    /// Runs the requested tool.
    ///
    /// # Errors
    ///
    /// For [`Error::UnknownTool`]; any other failure is in the result.
    pub(super) async fn run(
        &self,
        requested: Requested,
        context: &RequestContext<RoleServer>,
        elicitation: &Elicitation,
        call: &mut Call,
    ) -> Result<CallToolResponse, Failure> {
        let Requested {
            tool,
            mut arguments,
            mut tolerated,
            ..
        } = requested;
        let service = &self.server.service;
        let response = if let Some(builtin) = Builtin::named(&tool) {
            match builtin.tolerate(&mut arguments) {
                Ok(of_ours) => {
                    tolerated.extend(of_ours);
                    self.run_builtin(builtin, arguments, context, elicitation, call)
                        .await
                }
                Err(failure) => failed(&failure, call).into(),
            }
        } else {
            if let Some(tool) = service.toolbox().get(&tool) {
                let rule = match tool.reach {
                    Reach::NONE => PassOver::Any,
                    _ => PassOver::Known,
                };
                let ignored = pass_over(&mut arguments, tool.input_schema(), rule);
                tolerated.ignored.extend(ignored);
            }
            self.run_component(&tool, arguments, context, call, &mut tolerated)
                .await?
                .into()
        };
        Ok(match response {
            CallToolResponse::Complete(mut result) => {
                convert::note_tolerated(&mut result, tolerated);
                CallToolResponse::Complete(result)
            }
            other => other,
        })
    }

    async fn run_component(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        context: &RequestContext<RoleServer>,
        call: &mut Call,
        tolerated: &mut Tolerated,
    ) -> Result<CallToolResult, Failure> {
        let server = &self.server;
        let place = in_flight(context);
        let reader = place.as_ref().and_then(InFlight::reader);
        let client = Client {
            stop: &context.ct,
            reader: reader.as_ref(),
        };
        let report = server.service.call(tool, arguments, client).await;
        if let (Some(place), Some(kept)) = (place, report.kept) {
            place.keep(kept);
        }
        if let Some(id) = report.component_id {
            call.component = Some(id);
        }
        tolerated.respelled.extend(report.respelled);
        let denied = report.denied.iter().map(|denied| denied.denial.clone());
        call.denials = denied.collect();
        let denials = Denials {
            denied: &report.denied,
            offer: server.offer,
        };
        match report.outcome {
            Ok(outcome) => {
                if matches!(outcome, Returned::Err(_)) {
                    call.code = Some("tool-error");
                }
                Ok(convert::outcome(outcome, denials))
            }
            Err(error) => {
                call.code = Some(error.code());
                match error {
                    Error::UnknownTool { .. } => Err(error.into()),
                    error => Ok(convert::failed_call(&error, denials)),
                }
            }
        }
    }

    async fn run_builtin(
        &self,
        builtin: Builtin,
        arguments: Map<String, Value>,
        context: &RequestContext<RoleServer>,
        elicitation: &Elicitation,
        call: &mut Call,
    ) -> CallToolResponse {
        let server = &self.server;
        if room(context).await.is_err() {
            return failed(&CallError::NotBegun, call).into();
        }
        let reporter = Reporter::of(context);
        let work = builtin.call(
            server.offer,
            &server.service,
            arguments,
            &reporter,
            elicitation,
        );
        // Losing the race drops the work, which stops a download.
        tokio::select! {
            biased;
            () = context.ct.cancelled() => failed(&CallError::Cancelled, call).into(),
            ended = reporter.during(work) => match ended {
                Ok(Answered::Done(result)) => result.into(),
                Ok(Answered::Asks(questions)) => {
                    call.code = Some("input-required");
                    questions.into()
                }
                Err(failure) => failed(&failure, call).into(),
            }
        }
    }

    /// The component that owns the tool, or that the server's own tool is about.
    pub(super) fn component(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Option<ComponentId> {
        match Builtin::named(tool) {
            Some(builtin) => builtin.component_in(arguments),
            None => {
                let tool = self.server.service.toolbox().get(tool)?;
                Some(tool.component.clone())
            }
        }
    }
}

pub(super) fn failed(failure: &dyn Diagnose, call: &mut Call) -> CallToolResult {
    call.code = Some(failure.code());
    convert::failure(failure)
}
