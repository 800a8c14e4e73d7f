//! Asking the user, through the client, whether a component may have what it
//! asks for. What is not clearly a yes is a no.

use std::pin::Pin;
use std::time::Duration;

use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, RoleServer};
use serde_json::{Value, json};

use crate::service::{Answer, Consent, Question};

/// How long the user may think.
const PATIENCE: Duration = Duration::from_secs(300);

/// How the user can be asked during one call.
pub(super) enum Asking {
    /// Not at all: the client cannot, or must not.
    Nobody,
    /// By a request of the server to the client.
    Now(Peer<RoleServer>),
}

impl Asking {
    /// What the client of this call can do.
    pub fn of(context: &RequestContext<RoleServer>) -> Self {
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
            _ => Asking::Nobody,
        }
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
