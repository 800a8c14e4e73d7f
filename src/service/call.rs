//! `call`: runs one tool in one fresh instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::install::Request;
use crate::reference::ComponentId;
use crate::runtime::{
    CallError, Client, CompileError, Denial, DenialKind, Kept, Respelled, Returned, TotalMemory,
};
use crate::store::Store;
use crate::text::nearest;
use crate::toolbox::Tool;

use super::denied::Denied;
use super::{Error, Service};

/// How many times a call is retried when another process replaces its component.
const REPLACED: usize = 3;

/// The outcome of one call.
#[derive(Debug)]
pub struct CallReport {
    /// The tool's component; `None` when there is no such tool.
    pub component_id: Option<ComponentId>,
    /// [`Error::UnknownTool`], or the error of compiling or calling.
    pub outcome: Result<Returned, Error>,
    /// Names of arguments that were given in another spelling; none for an error.
    pub respelled: Vec<Respelled>,
    /// What the component asked for and was not granted.
    pub denied: Vec<Denied>,
    pub took: Duration,
    /// The server's memory that the result takes, for as long as it is kept;
    /// none for an error.
    pub kept: Option<Kept>,
}

impl CallReport {
    fn failed(component_id: Option<ComponentId>, error: Error) -> Self {
        CallReport {
            component_id,
            outcome: Err(error),
            respelled: Vec::new(),
            denied: Vec::new(),
            took: Duration::ZERO,
            kept: None,
        }
    }

    /// The component, if its file may have been replaced since this process read it.
    fn outdated(&self) -> Option<&ComponentId> {
        match self.no_code()? {
            CompileError::Changed { .. }
            | CompileError::Refused { .. }
            | CompileError::Io { .. } => self.component_id.as_ref(),
            _ => None,
        }
    }

    /// The component, if its bytes are not those that were installed.
    fn changed(&self) -> Option<&ComponentId> {
        match self.no_code()? {
            CompileError::Changed { .. } => self.component_id.as_ref(),
            _ => None,
        }
    }

    fn no_code(&self) -> Option<&CompileError> {
        match &self.outcome {
            Err(Error::Call(CallError::Compile(error))) => Some(error),
            _ => None,
        }
    }
}

impl Service {
    /// The memory that all work for clients shares.
    pub fn memory(&self) -> &Arc<TotalMemory> {
        self.runtime.memory()
    }

    /// Calls a tool.
    pub async fn call<'c>(
        self: &Arc<Self>,
        tool: &str,
        args: impl Into<Arc<Map<String, Value>>>,
        client: impl Into<Client<'c>>,
    ) -> CallReport {
        let started = Instant::now();
        let client = client.into();
        let args = &args.into();
        let mut report = self.call_named(tool, args, client).await;
        for _ in 0..REPLACED {
            let Some(id) = report.outdated() else { break };
            // Another process may just have replaced or unloaded the component. Code
            // that the compiler refused is not compiled again.
            if self.sync_from_disk(id).await.is_err() {
                break;
            }
            report = self.call_named(tool, args, client).await;
        }
        if let Some(id) = report.changed() {
            // The file was modified although its stamp is unchanged.
            if let Err(error) = self.revalidate(id).await {
                report.outcome = Err(error);
            }
        }
        report.took = started.elapsed();
        report
    }

    async fn call_named(
        self: &Arc<Self>,
        tool: &str,
        args: &Arc<Map<String, Value>>,
        client: Client<'_>,
    ) -> CallReport {
        match self.toolbox.get(tool) {
            Some(tool) => self.call_offered(&tool, args, client).await,
            None => CallReport::failed(None, self.unknown_tool(tool)),
        }
    }

    async fn call_offered(
        self: &Arc<Self>,
        tool: &Tool,
        args: &Arc<Map<String, Value>>,
        client: Client<'_>,
    ) -> CallReport {
        let id = &tool.component;
        let args = match tool.complete(args) {
            Ok(args) => args,
            Err(error) => return CallReport::failed(Some(id.clone()), error.into()),
        };
        let program = match self.program(id).await {
            Ok(program) => program,
            Err(error) => return CallReport::failed(Some(id.clone()), error),
        };
        self.note_use(id);
        let sandbox = match self.sandbox(id).await {
            Ok(sandbox) => sandbox,
            Err(error) => return CallReport::failed(Some(id.clone()), error),
        };
        let called = program.call(tool.export(), args, &sandbox, client).await;
        let failed = !matches!(called.outcome, Ok(Returned::Ok(_)));
        let mut denials = called.denials;
        if failed && called.looked_at_environment {
            let known = |key: &String| {
                let same = |denial: &Denial| {
                    denial.kind == DenialKind::Environment && denial.what.raw() == key
                };
                denials.iter().any(same)
            };
            let mut missing = self.missing_variables(id).await;
            missing.retain(|key| !known(key));
            denials.extend(missing.iter().map(|key| Denial::of_variable(key)));
        }
        let denials = denials.into_iter();
        CallReport {
            component_id: Some(id.clone()),
            outcome: called.outcome.map_err(Error::from),
            respelled: called.respelled,
            denied: denials.map(|denial| Denied::new(id, denial)).collect(),
            took: Duration::ZERO,
            kept: called.kept,
        }
    }

    /// The variables that a component requests and is not granted, for a hint; empty
    /// if they cannot be read.
    async fn missing_variables(self: &Arc<Self>, id: &ComponentId) -> Vec<String> {
        let id = id.clone();
        let find = move |store: &Store| {
            let requested = Request::of(&store.get(&id).ok()??.metadata).policy;
            let granted = store.granted(&id).ok()?.policy;
            let requested = requested.environment.allow.into_iter();
            let mut keys: Vec<String> = requested.map(|rule| rule.key).collect();
            keys.retain(|key| {
                !granted
                    .environment
                    .allow
                    .iter()
                    .any(|rule| rule.key == *key)
            });
            Some(keys)
        };
        let found = self.disk.run(find).await;
        found.ok().flatten().unwrap_or_default()
    }

    /// The error for an unknown tool name, with similar names.
    pub fn unknown_tool(&self, name: &str) -> Error {
        let tools = self.toolbox.list();
        let near = nearest(name, tools.iter().map(|tool| tool.name.as_str()));
        Error::UnknownTool {
            name: name.into(),
            similar: near.into_iter().map(str::to_owned).collect(),
        }
    }
}
