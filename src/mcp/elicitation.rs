//! Asks the user, through the client, whether to grant the permissions that a component requests.
//! Any answer but a clear yes counts as no.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    InputRequest, InputRequests, InputRequiredResult, InputResponses, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, RoleServer, ServiceError};
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::schema;
use crate::service::{Answer, Consent, Question};

/// How long to wait for the user's answer.
const PATIENCE: Duration = Duration::from_secs(300);
/// Most characters of a client's error that are shown.
const MAX_ERROR: usize = 200;

/// How the user can be asked during one call, and the state of the questions.
pub(super) struct Elicitation {
    way: Way,
    state: Mutex<State>,
}

enum Way {
    /// The client cannot ask the user.
    Unavailable,
    /// By a request from the server to the client.
    Request(Peer<RoleServer>),
    /// By a result that tells the client to repeat the call with the answer. An
    /// answer is matched to its question by a digest of the form and of the
    /// component; nothing else is kept between the calls.
    Result(InputResponses),
}

#[derive(Default)]
struct State {
    /// The questions that the client must ask before it repeats the call.
    open: InputRequests,
    /// The reason why the last question has no answer.
    fault: Option<String>,
}

/// The reply to a question.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Granted,
    Declined,
    /// There is no answer from the user; the text gives the reason.
    Unanswered(String),
}

impl Elicitation {
    /// What the client of this call supports, and the answers that came with the
    /// call.
    pub fn of(context: &RequestContext<RoleServer>, answers: Option<InputResponses>) -> Self {
        // A client that sends its capabilities with each request speaks the protocol
        // revision in which servers send no requests.
        let inline = context.meta.client_capabilities();
        let takes_no_requests = inline.is_some();
        let shows_forms = inline
            .or_else(|| context.client_capabilities())
            .and_then(|capabilities| capabilities.elicitation)
            // A client that names no mode supports forms.
            .is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
        let way = match (shows_forms, takes_no_requests) {
            (true, false) => Way::Request(context.peer.clone()),
            (true, true) => Way::Result(answers.unwrap_or_default()),
            (false, _) => Way::Unavailable,
        };
        Elicitation {
            way,
            state: Mutex::default(),
        }
    }

    /// The questions that the client must ask before it repeats the call, if any.
    pub fn open(&self) -> Option<InputRequiredResult> {
        let open = std::mem::take(&mut self.state().open);
        (!open.is_empty()).then(|| InputRequiredResult::from_input_requests(open))
    }

    /// The reason why the last question has no answer, if it has none.
    pub fn fault(&self) -> Option<String> {
        self.state().fault.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No statement leaves the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, question: &Question) -> Answer {
        let reply = match params(question) {
            Err(error) => Reply::Unanswered(format!("the form cannot be made: {error}")),
            Ok(form) => match &self.way {
                Way::Unavailable => return Answer::Unavailable,
                Way::Request(peer) => request(peer, form).await,
                Way::Result(answers) => match self.earlier(answers, question, form) {
                    Some(reply) => reply,
                    None => return Answer::Later,
                },
            },
        };
        match reply {
            Reply::Granted => Answer::Granted,
            Reply::Declined => Answer::Refused,
            Reply::Unanswered(fault) => {
                tracing::warn!("the user's answer did not arrive: {fault}");
                self.state().fault = Some(fault);
                Answer::Refused
            }
        }
    }

    /// The answer that came with this call. If there is none, adds the question to
    /// those that the client must ask.
    fn earlier(
        &self,
        answers: &InputResponses,
        question: &Question,
        form: ElicitRequestParams,
    ) -> Option<Reply> {
        let text = json!(form);
        let key = Digest::of(format!("{}\n{text}", question.digest).as_bytes()).hex();
        if let Some(result) = answers.get(&key) {
            return Some(match serde_json::from_value(result.clone()) {
                Ok(result) => reply(&result),
                Err(error) => Reply::Unanswered(format!("the answer cannot be read: {error}")),
            });
        }
        let request = InputRequest::Elicitation(ElicitRequest::new(form));
        self.state().open.insert(key, request);
        None
    }
}

impl Consent for Elicitation {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.answer(question))
    }
}

async fn request(peer: &Peer<RoleServer>, form: ElicitRequestParams) -> Reply {
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(form));
    let mut options = PeerRequestOptions::no_options();
    options.timeout = Some(PATIENCE);
    let answered = match peer.send_cancellable_request(request, options).await {
        Ok(handle) => handle.await_response().await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(ClientResult::ElicitResult(result)) => reply(&result),
        Ok(_) => Reply::Unanswered("the client sent another kind of answer".to_owned()),
        Err(ServiceError::Timeout { .. }) => {
            let minutes = PATIENCE.as_secs() / 60;
            Reply::Unanswered(format!("nothing came within {minutes} minutes"))
        }
        Err(error) => {
            let error = schema::clean_text(&error.to_string(), MAX_ERROR);
            Reply::Unanswered(format!("the client failed to ask: {error}"))
        }
    }
}

/// The user's reply in a client's result.
fn reply(result: &ElicitResult) -> Reply {
    let content = result.content.as_ref();
    let ticked = content.and_then(|content| content.get("grant"));
    match (&result.action, ticked) {
        (ElicitationAction::Accept, Some(Value::Bool(true))) => Reply::Granted,
        (ElicitationAction::Accept, Some(Value::Bool(false))) => {
            Reply::Unanswered("the form was sent off without its box ticked".to_owned())
        }
        (ElicitationAction::Accept, _) => {
            Reply::Unanswered("the client accepted without sending the form's box".to_owned())
        }
        (ElicitationAction::Decline, _) => Reply::Declined,
        (ElicitationAction::Cancel, _) => {
            Reply::Unanswered("the question was closed without an answer".to_owned())
        }
        _ => Reply::Unanswered("the client sent an unknown action".to_owned()),
    }
}

/// The question as a form with one checkbox.
///
/// # Errors
///
/// When the form does not fit the protocol's types.
fn params(question: &Question) -> Result<ElicitRequestParams, serde_json::Error> {
    let mut message = format!(
        "The component `{}` from {} asks to:\n",
        question.component_id,
        question.source.shown()
    );
    for permission in &question.permissions {
        message.push_str(&format!("- {permission}\n"));
    }
    if let Some(rest) = question.rest() {
        message.push_str(&format!("- {rest}\n"));
    }
    for remark in &question.remarks {
        message.push_str(&format!("Note: {remark}\n"));
    }
    serde_json::from_value(json!({
        "mode": "form",
        "message": message,
        "requestedSchema": {
            "type": "object",
            "properties": {
                "grant": {
                    "type": "boolean",
                    "title": "Grant this",
                    "description": "It can be taken back at any time.",
                    "default": false,
                },
            },
            "required": ["grant"],
        },
    }))
}
