//! Runs one call in one fresh instance.

use std::sync::Arc;

use serde_json::Map;
use wasmtime::component::{ResourceTableError, Type, Val};
use wasmtime::{Error, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::code::{Code, Export};
use super::error::CallError;
use super::limits::{
    CallLimits, Exceeded, GUEST_STACK, HANDLES, INSTANCES_OF_ONE, JSON, Kept, LimitMet, Limiter,
    MEMORIES, Pace, Pieces, RESOURCES, Reader, Refused, SetAside, TABLES, TotalMemory, VALUES,
};
use super::printed::Flood;
use super::sandbox::{Denials, Guest, Host, Sandbox};
use super::sentences::{self, Part, Watched};
use crate::schema::Outcome;
use crate::schema::value::{self, Allowance, Converted, Respelled, Returned, Room};
use crate::text::Foreign;

/// Arguments up to this many bytes are converted on the caller's thread.
const SMALL: usize = 64 << 10;

/// Bounds the copies of a result's text: it is in the answer as text, and in the message escaped
/// and as JSON.
const COPIES: u64 = 3;

/// Everything a call needs, ready to move to a guest thread.
#[derive(Clone)]
pub(super) struct Call {
    pub code: Arc<Code>,
    pub export: Arc<Export>,
    pub arguments: Arc<Map<String, serde_json::Value>>,
    pub sandbox: Sandbox,
    pub denials: Denials,
    pub host: Host,
    /// The component's name, for the log.
    pub component: Arc<str>,
    pub limits: CallLimits,
    /// The memory of all calls.
    pub total: Arc<TotalMemory>,
    pub pace: Arc<Pace>,
    pub reader: Option<Reader>,
}

/// The result of a call, with the memory that it takes.
pub(super) struct Answer {
    pub returned: Returned,
    /// Names of arguments that were given in another spelling.
    pub respelled: Vec<Respelled>,
    /// The server's memory that the result takes.
    pub kept: Kept,
    /// Additional bytes that the answer built from it takes.
    pub copies: u64,
}

impl Call {
    pub async fn run(self) -> Result<Answer, CallError> {
        let pace = Arc::clone(&self.pace);
        pace.keep(self.run_unpaced()).await
    }

    async fn run_unpaced(self) -> Result<Answer, CallError> {
        // Checks again: other calls may have returned since the last check.
        if self
            .reader
            .as_ref()
            .is_some_and(|reader| !reader.has_room())
        {
            return Err(CallError::NotBegun);
        }
        let mut limiter = Limiter::new(self.limits.memory.value, &self.total);
        let Converted {
            values: params,
            respelled,
        } = self.params(&mut limiter).await?;
        let crossing = self.export.crossing;
        let most = crossing.bytes(self.limits.output.value);
        let aside = self.total.set_aside(most);
        let aside = aside.map_err(|limit| self.met(Exceeded::TotalMemory(limit)))?;
        let guest = Guest::new(
            self.sandbox.clone(),
            Arc::clone(&self.component),
            limiter,
            self.limits.output.value,
            self.denials.clone(),
            self.host.clone(),
        );
        let mut store = Store::new(self.code.pre.engine(), guest);
        CallLimits::apply(&mut store, crossing.count(aside.bytes()));
        store.set_epoch_deadline(1);
        let pace = Arc::clone(&self.pace);
        store.epoch_deadline_callback(move |_| {
            let pause = Arc::clone(&pace).pause();
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(pause)))
        });

        match self.enter(&mut store, params).await {
            Ok(values) => {
                // Frees the instance's memory before the JSON is built.
                drop(store);
                self.returned(values, respelled)
            }
            Err(error) => Err(self.explain(&error, &store, &aside)),
        }
    }

    /// Converts the arguments to values and charges them to the call's memory. Large
    /// arguments are converted on a guest thread.
    async fn params(&self, limiter: &mut Limiter) -> Result<Converted, CallError> {
        let (arguments, types) = (&self.arguments, &self.export.params);
        let mut small = Allowance(SMALL);
        match value::arguments(arguments, types, &mut small) {
            Err(error) if error.is_too_large() => tokio::task::yield_now().await,
            Err(error) => return Err(CallError::Arguments(error)),
            Ok(params) => {
                let (taken, refused) =
                    limiter.keep_arguments(|memory| memory.take(SMALL - small.0));
                return match (taken, refused) {
                    (Err(_), Some(refused)) => Err(self.met(self.refused(refused))),
                    _ => Ok(params),
                };
            }
        }
        let (params, refused) =
            limiter.keep_arguments(|memory| value::arguments(arguments, types, memory));
        params.map_err(|error| match refused {
            Some(refused) if error.is_too_large() => self.met(self.refused(refused)),
            _ => CallError::Arguments(error),
        })
    }

    /// Runs the function and returns its results.
    async fn enter(
        &self,
        store: &mut Store<Guest>,
        params: Vec<Val>,
    ) -> wasmtime::Result<Vec<Val>> {
        let instance = self.code.pre.instantiate_async(&mut *store).await?;
        let function = instance
            .get_func(&mut *store, self.export.index)
            .ok_or_else(|| Error::msg("the export is no function"))?;
        let mut values = vec![Val::Bool(false); self.export.results.len()];
        function.call_async(store, &params, &mut values).await?;
        Ok(values)
    }

    fn returned(&self, values: Vec<Val>, respelled: Vec<Respelled>) -> Result<Answer, CallError> {
        let types = &self.export.results;
        let outcome = match types.first() {
            Some(Type::Result(_)) => Outcome::Result,
            _ => Outcome::Plain,
        };
        let text = self.limits.output.value;
        let mut left = text;
        let mut memory = self.total.share();
        let mut pieces = Pieces::new(|bytes| {
            let bytes = bytes as u64;
            let fits = memory.bytes().saturating_add(bytes) <= JSON;
            let fits = fits.then_some(()).ok_or(Refused::Memory);
            fits.and_then(|()| memory.take(bytes).map_err(Refused::Total))
        });
        let room = Room {
            memory: &mut pieces,
            text: &mut left,
        };
        let returned = value::returned(values, types, outcome, room);
        let refused = pieces.refused();
        let returned = returned.map_err(|error| match refused {
            _ if error.is_too_long() => self.met(Exceeded::Result(text)),
            Some(Refused::Total(limit)) => self.met(Exceeded::TotalMemory(limit)),
            Some(_) => self.met(Exceeded::Values(JSON)),
            None => CallError::InvalidResult {
                message: error.to_string(),
            },
        })?;
        Ok(Answer {
            returned,
            respelled,
            kept: Kept::waiting(self.reader.clone(), memory),
            copies: (text - left).saturating_mul(COPIES),
        })
    }

    fn refused(&self, refused: Refused) -> Exceeded {
        match refused {
            Refused::Memory => Exceeded::Memory(self.limits.memory.value),
            Refused::Total(limit) => Exceeded::TotalMemory(limit),
            Refused::Table(limit) => Exceeded::Table(limit),
        }
    }

    fn met(&self, exceeded: Exceeded) -> CallError {
        CallError::Limit(LimitMet {
            set_by: self.limits.set_by(&exceeded),
            exceeded,
            component: Arc::clone(&self.component),
        })
    }

    /// Turns wasmtime's error into a [`CallError`].
    fn explain(&self, error: &Error, store: &Store<Guest>, aside: &SetAside) -> CallError {
        if error.is::<PoolConcurrencyLimitError>() {
            return CallError::Busy;
        }
        if let Some(exceeded) = self.exceeded(error, store, aside) {
            return self.met(exceeded);
        }
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return CallError::Exit {
                status: exit.0,
                stderr: store.data().last_words(),
            };
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let trap = error.downcast_ref::<Trap>();
        if backtrace.is_none() && trap.is_none() {
            return CallError::InvalidResult {
                message: error.root_cause().to_string(),
            };
        }
        CallError::Trap {
            message: sentences::trap(error),
            stderr: store.data().last_words(),
            backtrace: backtrace.map(frames).unwrap_or_default(),
            deadlock: trap == Some(&Trap::AsyncDeadlock),
        }
    }
}

impl Call {
    /// Returns the limit behind an error, if there is one.
    fn exceeded(&self, error: &Error, store: &Store<Guest>, aside: &SetAside) -> Option<Exceeded> {
        if error.is::<Flood>() {
            return Some(Exceeded::Printed(self.limits.output.value));
        }
        if let Some(ResourceTableError::Full) = error.downcast_ref() {
            return Some(Exceeded::Resources(RESOURCES));
        }
        if let Some(Trap::StackOverflow) = error.downcast_ref() {
            return Some(Exceeded::Stack(GUEST_STACK));
        }
        match sentences::watched(error) {
            Some(Watched::Crossing) => return Some(self.too_much(aside)),
            Some(Watched::Handles) => return Some(Exceeded::Handles(HANDLES)),
            Some(Watched::Parts(part)) => return Some(parts(part)),
            None => {}
        }
        // Checked last, because a guest may continue after its memory was refused.
        Some(self.refused(store.data().limiter.refused()?))
    }

    /// Returns the limit that stopped a result, or a value that a guest passes to the host.
    fn too_much(&self, aside: &SetAside) -> Exceeded {
        let crossing = &self.export.crossing;
        let output = self.limits.output.value;
        if aside.bytes() < crossing.bytes(output) {
            // Less was set aside than one call may use: other calls hold the rest.
            Exceeded::TotalMemory(self.total.limit())
        } else if crossing.is_long(output) {
            Exceeded::Result(output)
        } else {
            Exceeded::Values(VALUES)
        }
    }
}

fn parts(part: Part) -> Exceeded {
    let (what, limit) = match part {
        Part::Instances => ("core instances", INSTANCES_OF_ONE),
        Part::Memories => ("memories", MEMORIES),
        Part::Tables => ("tables", TABLES),
    };
    let what = what.to_owned();
    Exceeded::Parts { what, limit }
}

/// `module!function` for each frame, innermost first.
fn frames(backtrace: &WasmBacktrace) -> Vec<Foreign> {
    let frames = backtrace.frames().iter();
    frames
        .map(|frame| {
            let module = frame.module().name().unwrap_or("<unnamed>");
            Foreign::new(match frame.func_name() {
                // The alternate form omits the hash.
                Some(name) => format!("{module}!{:#}", rustc_demangle::demangle(name)),
                None => format!("{module}!<function {}>", frame.func_index()),
            })
        })
        .collect()
}
