//! The client's side of MCP: passes the server's messages on to the test, and answers its
//! questions.

use std::sync::Arc;

use rmcp::model::{
    ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability,
    ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use rmcp::{ClientHandler, ErrorData};
use tokio::sync::mpsc;

/// A message that the server sends by itself.
#[derive(Debug)]
pub enum News {
    ToolsChanged,
    Progress(ProgressNotificationParam),
    /// The question that the user was asked.
    Asked(String),
}

/// The client's handler, which passes on the server's messages.
pub struct Ear {
    info: ClientConfig,
    news: mpsc::UnboundedSender<News>,
    /// The user's answer to questions; without one the client has no elicitation.
    answer: Option<Answer>,
    /// While a test holds this, the user does not answer.
    pub thinking: tokio::sync::Mutex<()>,
}

/// How the user answers questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    /// The form is accepted without its box ticked.
    Unticked,
    Decline,
    Cancel,
    /// The client fails.
    Error,
}

impl Ear {
    pub fn new(version: ProtocolVersion) -> (Arc<Self>, mpsc::UnboundedReceiver<News>) {
        let (news, heard) = mpsc::unbounded_channel();
        let mut info = ClientConfig::default();
        info.protocol_version = version;
        (Arc::new(Ear::with(info, news, None)), heard)
    }

    fn with(info: ClientConfig, news: mpsc::UnboundedSender<News>, answer: Option<Answer>) -> Self {
        Ear {
            info,
            news,
            answer,
            thinking: Default::default(),
        }
    }

    /// Returns a client with elicitation.
    pub fn answering(
        version: ProtocolVersion,
        answer: Answer,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<News>) {
        let (news, heard) = mpsc::unbounded_channel();
        let mut info = ClientConfig::default();
        info.protocol_version = version;
        info.capabilities.elicitation = Some(ElicitationCapability::default());
        (Arc::new(Ear::with(info, news, Some(answer))), heard)
    }
}

impl ClientHandler for Ear {
    fn get_info(&self) -> ClientConfig {
        self.info.clone()
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            panic!("not a form");
        };
        let _ = self.news.send(News::Asked(message));
        drop(self.thinking.lock().await);
        let result = |action, content| {
            let mut result = ElicitResult::new(action);
            result.content = content;
            Ok(result)
        };
        let ticked = |yes: bool| Some(serde_json::json!({ "grant": yes }));
        match self.answer.expect("a client that asks its user") {
            Answer::Yes => result(ElicitationAction::Accept, ticked(true)),
            Answer::Unticked => result(ElicitationAction::Accept, ticked(false)),
            Answer::Decline => result(ElicitationAction::Decline, None),
            Answer::Cancel => result(ElicitationAction::Cancel, ticked(true)),
            Answer::Error => Err(ErrorData::internal_error("no one is here", None)),
        }
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        let _ = self.news.send(News::ToolsChanged);
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.news.send(News::Progress(progress));
    }
}
