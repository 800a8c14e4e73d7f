//! Reads the messages of clients: one message, or a batch.
//!
//! A message is parsed once, directly into the form that is used. Only the arguments of a tool may
//! be large; all other members are limited to [`SMALL`], and only the parts of a client's
//! self-description that the server uses are kept. An unreadable message is always answered, with
//! the id of the request or else with null.

use std::borrow::Cow;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientJsonRpcMessage, ClientRequest, ErrorCode,
    ErrorData, InitializeRequest, InputResponses, JsonObject, ProtocolVersion, RequestId,
    RequestMetaObject,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::tolerated;
use crate::error::plain::plain;
use crate::mcp::builtin::tolerate_object;

/// The largest message without a tool's arguments, and the largest `_meta`.
const SMALL: usize = 64 * 1024;
/// The most messages of a batch.
const BATCH: usize = 100;
/// The most characters of an error's reason.
const SHORT: usize = 256;

/// The reason why a message is refused, as told to its client.
#[derive(Debug)]
pub(in crate::mcp) struct Unreadable {
    pub id: Option<RequestId>,
    pub error: ErrorData,
}

/// The content of a body or line from a client.
pub(super) enum Incoming<'a> {
    One(Envelope<'a>),
    Batch(Vec<Result<Envelope<'a>, Unreadable>>),
}

/// A message whose outer members are known, and whose inner ones are not yet
/// parsed.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(skip)]
    text: &'a str,
    #[serde(default)]
    pub id: Option<RequestId>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The parameters of `tools/call`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallParams<'a> {
    #[serde(rename = "_meta", borrow, default)]
    meta: Option<&'a RawValue>,
    name: String,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(default)]
    input_responses: Option<InputResponses>,
    #[serde(default)]
    request_state: Option<String>,
}

/// The parameters of any request that decide how it is answered.
#[derive(Deserialize, Default)]
struct AnyParams<'a> {
    #[serde(rename = "_meta", borrow, default)]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion", default)]
    revision: Option<String>,
}

impl<'a> Incoming<'a> {
    /// Reads a body or line. A batch is accepted only if `revision`, which the session negotiated,
    /// has batches.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when it is not a message.
    pub fn read(bytes: &'a [u8], revision: Option<&ProtocolVersion>) -> Result<Self, Unreadable> {
        // Some clients begin with a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|fault| Unreadable {
            id: id_in(bytes),
            error: error(ErrorCode::PARSE_ERROR, format!("not UTF-8: {fault}")),
        })?;
        if !text.trim_start().starts_with('[') {
            return Envelope::read(text).map(Incoming::One);
        }
        if revision != Some(&ProtocolVersion::V_2025_03_26) {
            return Err(invalid(
                None,
                "batches exist in protocol revision 2025-03-26 alone",
            ));
        }
        let parts: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|fault| Unreadable::of(None, &fault))?;
        match parts.len() {
            0 => Err(invalid(None, "the batch is empty")),
            1..=BATCH => Ok(Incoming::Batch(
                parts
                    .into_iter()
                    .map(|part| Envelope::read(part.get()))
                    .collect(),
            )),
            _ => Err(invalid(None, format!("a batch may have {BATCH} messages"))),
        }
    }
}

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<Self, Unreadable> {
        let read = serde_json::from_str(text);
        let envelope: Envelope =
            read.map_err(|fault| Unreadable::of(id_in(text.as_bytes()), &fault))?;
        Ok(Envelope { text, ..envelope })
    }

    pub fn is_request(&self, method: &str) -> bool {
        self.id.is_some() && self.method.as_deref() == Some(method)
    }

    /// Whether this may be the first message of a session: `initialize` or, from 2026-07-28 on,
    /// any request that names its revision.
    pub fn begins(&self) -> bool {
        self.is_request("initialize") || self.id.is_some() && self.revision().is_some()
    }

    /// The protocol revision that the request itself names, as requests from 2026-07-28 on do.
    pub fn revision(&self) -> Option<String> {
        let params: AnyParams = serde_json::from_str(self.params?.get()).ok()?;
        let meta: Meta = serde_json::from_str(params.meta?.get()).ok()?;
        meta.revision
    }

    /// Checks the sizes that [`message`](Self::message) checks, for a message that another parser
    /// parses.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when it is larger than the limits.
    pub fn check_size(&self) -> Result<(), Unreadable> {
        if !self.is_request("tools/call") {
            return self.check(self.text.len(), "a message without a tool's arguments");
        }
        let params = self.params.map(|params| serde_json::from_str(params.get()));
        let meta = params
            .and_then(Result::ok)
            .and_then(|params: AnyParams| params.meta);
        self.check_meta(meta)
    }

    fn check(&self, length: usize, what: &str) -> Result<(), Unreadable> {
        match length <= SMALL {
            true => Ok(()),
            false => Err(invalid(
                self.id.clone(),
                format!("{what} may have {SMALL} bytes"),
            )),
        }
    }

    fn check_meta(&self, meta: Option<&RawValue>) -> Result<(), Unreadable> {
        self.check(meta.map_or(0, |meta| meta.get().len()), "`_meta`")
    }

    /// Parses the rest.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when it is not a message of the protocol, or larger than the limits.
    pub fn message(self) -> Result<ClientJsonRpcMessage, Unreadable> {
        if self.is_request("tools/call") && self.result.is_none() && self.error.is_none() {
            return self.call();
        }
        self.check(self.text.len(), "a message without a tool's arguments")?;
        if self.is_request("initialize") && self.result.is_none() && self.error.is_none() {
            return self.initialize();
        }
        let parsed = match self.params.and_then(tolerated::params) {
            None => serde_json::from_str(self.text),
            Some(params) => serde_json::from_str(self.text).and_then(|mut message: JsonObject| {
                message.insert("params".into(), params);
                serde_json::from_value(Value::Object(message))
            }),
        };
        parsed.map_err(|fault| Unreadable::of(self.id, &fault))
    }

    fn initialize(self) -> Result<ClientJsonRpcMessage, Unreadable> {
        let params = self.params.map_or("{}", RawValue::get);
        let parsed = serde_json::from_str(params);
        let params: Value = parsed.map_err(|fault| Unreadable::of(self.id.clone(), &fault))?;
        let initialize = InitializeRequest::new(tolerated::initialize(&params));
        Ok(ClientJsonRpcMessage::request(
            ClientRequest::InitializeRequest(initialize),
            // This is called only for requests, which have an id.
            self.id.unwrap_or(RequestId::Number(0)),
        ))
    }

    fn call(self) -> Result<ClientJsonRpcMessage, Unreadable> {
        let unreadable = |fault: serde_json::Error| Unreadable {
            id: self.id.clone(),
            error: error(
                ErrorCode::INVALID_PARAMS,
                format!(
                    "Invalid parameters of `tools/call`: {}",
                    short(&plain(fault))
                ),
            ),
        };
        let params = self.params.map_or("{}", RawValue::get);
        let params: CallParams = serde_json::from_str(params).map_err(unreadable)?;
        self.check_meta(params.meta)?;
        let mut call = CallToolRequestParams::new(params.name);
        call.arguments = match params.arguments.map_or("null", RawValue::get) {
            "null" => None,
            text if text.starts_with('{') => Some(serde_json::from_str(text).map_err(unreadable)?),
            // The values in this text were not counted.
            text if text.len() > SMALL => {
                let text = "`arguments` is no object";
                return Err(Unreadable {
                    id: self.id,
                    error: error(ErrorCode::INVALID_PARAMS, text),
                });
            }
            text => {
                let mut other: Value = serde_json::from_str(text).map_err(unreadable)?;
                tolerate_object(&mut other);
                Some(serde_json::from_value(other).map_err(unreadable)?)
            }
        };
        call.input_responses = params.input_responses;
        call.request_state = params.request_state;
        let mut request = CallToolRequest::new(call);
        if let Some(meta) = params.meta {
            let meta: JsonObject = serde_json::from_str(meta.get()).map_err(unreadable)?;
            request.extensions.insert(RequestMetaObject::from(meta));
        }
        // This is called only for requests, which have an id.
        let id = self.id.unwrap_or(RequestId::Number(0));
        Ok(ClientJsonRpcMessage::request(
            ClientRequest::CallToolRequest(request),
            id,
        ))
    }
}

impl Unreadable {
    fn of(id: Option<RequestId>, fault: &serde_json::Error) -> Self {
        let code = match fault.classify() {
            serde_json::error::Category::Data => ErrorCode::INVALID_REQUEST,
            _ => ErrorCode::PARSE_ERROR,
        };
        let text = format!("not a JSON-RPC message: {}", short(&plain(fault)));
        Unreadable {
            id,
            error: error(code, text),
        }
    }

    /// Encodes the answer: an error with the id, or with null, which `rmcp` would leave out.
    pub fn encode(&self) -> String {
        #[derive(Serialize)]
        struct Answer<'a> {
            jsonrpc: &'static str,
            id: &'a Option<RequestId>,
            error: &'a ErrorData,
        }
        let answer = Answer {
            jsonrpc: "2.0",
            id: &self.id,
            error: &self.error,
        };
        // Maps with text keys and only our own types always serialise.
        serde_json::to_string(&answer).unwrap_or_default()
    }
}

/// The id of an otherwise invalid request.
pub(super) fn id_in(message: &[u8]) -> Option<RequestId> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: Option<RequestId>,
    }
    let text = String::from_utf8_lossy(message);
    serde_json::from_str::<OnlyId>(&text).ok()?.id
}

pub(super) fn invalid(id: Option<RequestId>, reason: impl Into<Cow<'static, str>>) -> Unreadable {
    Unreadable {
        id,
        error: error(ErrorCode::INVALID_REQUEST, reason),
    }
}

fn error(code: ErrorCode, reason: impl Into<Cow<'static, str>>) -> ErrorData {
    ErrorData::new(code, reason, None)
}

fn short(text: &str) -> String {
    text.chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests;
