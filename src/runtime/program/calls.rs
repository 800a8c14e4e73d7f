//! Calls of one component: their slots, time limits, and memory for results.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::time::timeout_at;

use super::{Inner, Program};
use crate::runtime::Client;
use crate::runtime::call::{Answer, Call};
use crate::runtime::code::Code;
use crate::runtime::engine::{APART_OF_ONE, Allocation};
use crate::runtime::error::CallError;
use crate::runtime::guests::Start;
use crate::runtime::limits::{CallLimits, Exceeded, Kept, LimitMet, NoRoom, Pace, Reader};
use crate::runtime::sandbox::{Denial, Denials, Sandbox};
use crate::schema::ExportPath;
use crate::schema::value::{Respelled, Returned};
use crate::secret::Redactor;

/// Practically no limit; a longer time could overflow `Instant`.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The outcome of a call.
#[derive(Debug)]
pub struct Called {
    pub outcome: Result<Returned, CallError>,
    /// Names of arguments that were given in another spelling; none for an error.
    pub respelled: Vec<Respelled>,
    /// The server's memory that the result takes while it is kept; none for an error.
    pub kept: Option<Kept>,
    /// The requests of the guest that were denied.
    pub denials: Vec<Denial>,
    /// Whether the guest read its environment, where a variable may have been missing.
    pub looked_at_environment: bool,
}

impl Program {
    /// Calls an exported function in a fresh instance.
    ///
    /// Waits for code of the first tier if there is none yet; that wait does not count towards the
    /// call's time limit. Dropping the future ends the call without reporting denials. Needs a
    /// tokio runtime with timers.
    ///
    /// The outcome is a [`CallError`] when the component cannot be run, the arguments do not
    /// match, or the guest traps, exits, is stopped or exceeds a limit. An error *value* that the
    /// function returns is a [`Returned::Err`].
    pub async fn call<'c>(
        &self,
        export: &ExportPath,
        arguments: impl Into<Arc<Map<String, Value>>>,
        sandbox: &Sandbox,
        client: impl Into<Client<'c>>,
    ) -> Called {
        // Kept here too, so that a stopped call reports its denials.
        let denials = Denials::new(sandbox);
        let attempt = Attempt {
            program: self,
            export,
            sandbox,
            denials: &denials,
        };
        let client = client.into();
        let outcome = tokio::select! {
            biased;
            () = client.stop.cancelled() => Err(CallError::Cancelled),
            outcome = attempt.run(arguments.into(), client.reader) => outcome,
        };
        let (outcome, respelled, kept) = match outcome {
            Ok(answer) => (Ok(answer.returned), answer.respelled, Some(answer.kept)),
            Err(error) => (Err(error), Vec::new(), None),
        };
        Called {
            kept,
            respelled,
            outcome: redacted(outcome, &denials.look().redactor()),
            denials: denials.take(),
            looked_at_environment: denials.look().was_listed(),
        }
    }
}

/// A call, some steps of which may be repeated.
struct Attempt<'a> {
    program: &'a Program,
    export: &'a ExportPath,
    sandbox: &'a Sandbox,
    denials: &'a Denials,
}

impl Attempt<'_> {
    async fn run(
        &self,
        arguments: Arc<Map<String, Value>>,
        reader: Option<&Reader>,
    ) -> Result<Answer, CallError> {
        let inner = &self.program.inner;
        inner.note_call();
        let code = self.program.code().await.map_err(CallError::Compile)?;
        let runtime = &inner.runtime;
        let limits = CallLimits::new(self.sandbox.limits(), &runtime.options);
        // The timer is the server's: guests that loop cannot delay it. Waiting for other calls
        // counts, since the client waits as well.
        let end = tokio::time::Instant::now() + limits.time.value.min(LONGEST);
        let call = Call {
            export: code.export(self.export)?,
            code,
            arguments,
            sandbox: self.sandbox.clone(),
            denials: self.denials.clone(),
            host: inner.host.clone(),
            component: Arc::clone(&inner.name),
            limits,
            total: Arc::clone(&runtime.total),
            pace: Pace::new(&inner.turns, limits.cpu),
            reader: reader.cloned(),
        };
        let mut answer = loop {
            // Waits without holding a slot, so that other calls can use it.
            if let Some(reader) = reader {
                let room = reader.room(end).await;
                room.map_err(|_| CallError::NotBegun)?;
            }
            match self.run_in_place(&call, end).await {
                Err(CallError::NotBegun) => {}
                ended => break ended?,
            }
        };
        let entered = answer.kept.enter(answer.copies, end).await;
        entered.map_err(|no_room| match no_room {
            NoRoom::Unread => CallError::ResultDropped,
            NoRoom::Total(limit) => met(&call, Exceeded::TotalMemory(limit)),
        })?;
        Ok(answer)
    }

    /// Runs a call in one of the component's slots for calls in flight.
    async fn run_in_place(
        &self,
        call: &Call,
        end: tokio::time::Instant,
    ) -> Result<Answer, CallError> {
        let limits = &call.limits;
        let waited = limits.time.value;
        let limit = match call.code.allocation {
            Allocation::Pooled => limits.instances.value,
            Allocation::OnDemand => limits.instances.value.min(APART_OF_ONE),
        };
        let place = timeout_at(end, self.program.inner.gate.enter(limit)).await;
        let _place = place.map_err(|_| met(call, Exceeded::Instances { limit, waited }))?;
        match timeout_at(end, self.run_in_pool(call.clone())).await {
            Ok(returned) => returned,
            Err(_) => {
                let (limit, held) = (waited, call.pace.held());
                Err(met(call, Exceeded::Time { limit, held }))
            }
        }
    }

    /// Runs a call in the pool, or outside it if the pool is full.
    async fn run_in_pool(&self, mut call: Call) -> Result<Answer, CallError> {
        let inner = &self.program.inner;
        if call.code.allocation == Allocation::Pooled {
            match inner.run_guest(call.clone()).await {
                Err(CallError::Busy) => {}
                answer => return answer,
            }
            tracing::debug!(component = &*inner.name, "the pool is full");
            call.code = inner.code_apart().await.ok_or(CallError::Busy)?;
            // An export's index is valid only for the code that it was looked up in.
            call.export = call.code.export(self.export)?;
        }
        let place = inner.runtime.apart.try_acquire();
        let _place = place.map_err(|_| CallError::Busy)?;
        inner.run_guest(call).await
    }
}

impl Inner {
    fn note_call(&self) {
        *self
            .last_call
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns code for instances outside the pool; `None` until the optimised code is on disk.
    async fn code_apart(&self) -> Option<Arc<Code>> {
        if let Some(code) = &self.state.borrow().apart {
            return Some(Arc::clone(code));
        }
        let code = Arc::new(self.runtime.apart(&self.source).await?);
        self.state
            .send_modify(|state| state.apart = Some(Arc::clone(&code)));
        Some(code)
    }

    async fn run_guest(&self, call: Call) -> Result<Answer, CallError> {
        let ticking = self.runtime.ticker.start();
        let start = if ticking.is_alone() {
            Start::Here
        } else {
            Start::Apart
        };
        let guest = async move {
            let _ticking = ticking;
            call.run().await
        };
        self.runtime.guests.run(start, guest).await
    }
}

fn met(call: &Call, exceeded: Exceeded) -> CallError {
    CallError::Limit(LimitMet {
        set_by: call.limits.set_by(&exceeded),
        exceeded,
        component: Arc::clone(&call.component),
    })
}

/// Removes secrets from a call's outcome. The guest's output and its denials are redacted
/// elsewhere.
fn redacted(
    mut outcome: Result<Returned, CallError>,
    redactor: &Redactor,
) -> Result<Returned, CallError> {
    match &mut outcome {
        Ok(Returned::Ok(value) | Returned::Err(value)) => redactor.value(value),
        Err(error) => error.redact(redactor),
    }
    outcome
}
