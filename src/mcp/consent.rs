//! Asking the user, through the client, whether a component may have what it
//! asks for. What is not clearly a yes is a no.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    InputRequest, InputRequests, InputRequiredResult, InputResponses, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, RoleServer};
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::service::{Answer, Consent, Question};

/// How long the user may think.
const PATIENCE: Duration = Duration::from_secs(300);

/// How the user can be asked during one call.
pub(super) enum Asking {
    /// Not at all: the client cannot.
    Nobody,
    /// By a request of the server to the client.
    Now(Peer<RoleServer>),
    /// By a result that asks the client to call again with the answer.
    Later(Rounds),
}

/// The rounds of one call: a question in the result of one, the answer to it
/// in the request of the next. An answer counts for the very question that it
/// was given to, by the digest of its form and of the component; nothing else
/// is kept in between.
pub(super) struct Rounds {
    answers: InputResponses,
    open: Mutex<InputRequests>,
}

impl Asking {
    /// What the client of this call can do, and has answered already.
    pub fn of(context: &RequestContext<RoleServer>, answers: Option<InputResponses>) -> Self {
        // A client that says with each request what it can speaks the
        // protocol in which servers make no requests.
        let inline = context.meta.client_capabilities();
        let asks_servers_nothing = inline.is_some();
        let asks_in_forms = inline
            .or_else(|| context.client_capabilities())
            .and_then(|capabilities| capabilities.elicitation)
            // Neither mode named means forms.
            .is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
        match (asks_in_forms, asks_servers_nothing) {
            (true, false) => Asking::Now(context.peer.clone()),
            (true, true) => Asking::Later(Rounds {
                answers: answers.unwrap_or_default(),
                open: Mutex::default(),
            }),
            (false, _) => Asking::Nobody,
        }
    }

    /// What the client is to ask before it calls again.
    pub fn open(self) -> Option<InputRequiredResult> {
        let Asking::Later(rounds) = self else {
            return None;
        };
        let open = rounds.open.into_inner();
        let open = open.unwrap_or_else(PoisonError::into_inner);
        (!open.is_empty()).then(|| InputRequiredResult::from_input_requests(open))
    }
}

impl Rounds {
    fn ask(&self, question: &Question) -> Answer {
        let Ok(params) = params(question) else {
            return Answer::Refused;
        };
        let Ok(form) = serde_json::to_string(&params) else {
            return Answer::Refused;
        };
        let key = Digest::of(format!("{}\n{form}", question.digest).as_bytes()).hex();
        if let Some(result) = self.answers.get(&key) {
            return match serde_json::from_value(result.clone()) {
                Ok(result) => answer(&result),
                Err(_) => Answer::Refused,
            };
        }
        let request = InputRequest::Elicitation(ElicitRequest::new(params));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(key, request);
        Answer::Later
    }
}

impl Consent for Asking {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            match self {
                Asking::Nobody => Answer::Unavailable,
                Asking::Now(peer) => elicit(peer, question).await,
                Asking::Later(rounds) => rounds.ask(question),
            }
        })
    }
}

async fn elicit(peer: &Peer<RoleServer>, question: &Question) -> Answer {
    let Ok(params) = params(question) else {
        return Answer::Refused;
    };
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
    let mut options = PeerRequestOptions::no_options();
    options.timeout = Some(PATIENCE);
    let Ok(handle) = peer.send_cancellable_request(request, options).await else {
        return Answer::Refused;
    };
    match handle.await_response().await {
        Ok(ClientResult::ElicitResult(result)) => answer(&result),
        Ok(_) => Answer::Refused,
        Err(error) => {
            tracing::warn!("the user could not be asked: {error}");
            Answer::Refused
        }
    }
}

/// The user's answer in a client's result.
fn answer(result: &ElicitResult) -> Answer {
    let agreed = result
        .content
        .as_ref()
        .and_then(|content| content.get("grant"));
    if result.action == ElicitationAction::Accept && agreed == Some(&Value::Bool(true)) {
        Answer::Granted
    } else {
        Answer::Refused
    }
}

/// The question as a form with one box to tick.
///
/// # Errors
///
/// When the form is not one by the protocol's own types.
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
        message.push_str(&format!("Odd: {remark}\n"));
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
