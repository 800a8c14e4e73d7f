//! One call in one fresh instance.

use std::sync::Arc;

use wasmtime::component::{ResourceTableError, Type, Val};
use wasmtime::{Error, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::code::{Code, Export};
use super::error::CallError;
use super::limits::{
    CallLimits, Exceeded, GUEST_STACK, HANDLES, LimitMet, Limiter, Pace, RESOURCES, Refused, Total,
    is_compact,
};
use super::printed::Flood;
use super::sandbox::{Denials, Guest, Host, Sandbox};
use crate::schema::Outcome;
use crate::schema::value::{self, Returned};
use crate::text::Foreign;

/// Everything a call needs, ready to move to a guest thread.
pub(super) struct Call {
    pub code: Arc<Code>,
    pub export: Arc<Export>,
    pub params: Vec<Val>,
    pub sandbox: Sandbox,
    pub denials: Denials,
    pub host: Host,
    /// The component's name, for the log.
    pub component: Arc<str>,
    pub limits: CallLimits,
    /// The memory of all guests.
    pub total: Arc<Total>,
    pub pace: Arc<Pace>,
}

impl Call {
    pub async fn run(self) -> Result<Returned, CallError> {
        let pace = Arc::clone(&self.pace);
        pace.keep(self.run_unpaced()).await
    }

    async fn run_unpaced(self) -> Result<Returned, CallError> {
        let limiter = Limiter::new(self.limits.memory.value, Arc::clone(&self.total));
        let guest = Guest::new(
            self.sandbox.clone(),
            Arc::clone(&self.component),
            limiter,
            self.limits.output.value,
            self.denials.clone(),
            self.host.clone(),
        );
        let mut store = Store::new(self.code.pre.engine(), guest);
        self.limits.apply(&mut store, &self.export.results);
        store.set_epoch_deadline(1);
        let pace = Arc::clone(&self.pace);
        store.epoch_deadline_callback(move |_| {
            let pause = Arc::clone(&pace).pause();
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(pause)))
        });

        match self.enter(&mut store).await {
            Ok(values) => self.returned(&values),
            Err(error) => Err(self.explain(&error, &store)),
        }
    }

    /// Runs the function and returns its results.
    async fn enter(&self, store: &mut Store<Guest>) -> wasmtime::Result<Vec<Val>> {
        let instance = self.code.pre.instantiate_async(&mut *store).await?;
        let function = instance
            .get_func(&mut *store, self.export.index)
            .ok_or_else(|| Error::msg("the export is no function"))?;
        let mut values = vec![Val::Bool(false); self.export.results.len()];
        function
            .call_async(store, &self.params, &mut values)
            .await?;
        Ok(values)
    }

    fn returned(&self, values: &[Val]) -> Result<Returned, CallError> {
        let types = &self.export.results;
        let outcome = match types.first() {
            Some(Type::Result(_)) => Outcome::Result,
            _ => Outcome::Plain,
        };
        let returned =
            value::returned(values, types, outcome).map_err(|error| CallError::InvalidResult {
                message: error.to_string(),
            })?;
        let (Returned::Ok(json) | Returned::Err(json)) = &returned;
        let limit = self.limits.output.value;
        if exceeds(json, limit) {
            return Err(self.met(Exceeded::Result(limit)));
        }
        Ok(returned)
    }

    fn met(&self, exceeded: Exceeded) -> CallError {
        CallError::Limit(LimitMet {
            set_by: self.limits.set_by(&exceeded),
            exceeded,
            component: Arc::clone(&self.component),
        })
    }

    /// Turns wasmtime's error into ours.
    fn explain(&self, error: &Error, store: &Store<Guest>) -> CallError {
        if error.is::<PoolConcurrencyLimitError>() {
            return CallError::Busy;
        }
        if let Some(exceeded) = self.exceeded(error, store) {
            return self.met(exceeded);
        }
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return CallError::Exit {
                status: exit.0,
                stderr: store.data().last_words(),
            };
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let cause = error.root_cause().to_string();
        if backtrace.is_none() && !error.is::<Trap>() {
            return CallError::InvalidResult { message: cause };
        }
        CallError::Trap {
            message: cause
                .strip_prefix("wasm trap: ")
                .unwrap_or(&cause)
                .to_owned(),
            stderr: store.data().last_words(),
            backtrace: backtrace.map(frames).unwrap_or_default(),
        }
    }
}

impl Call {
    /// The limit behind an error, if there is one.
    fn exceeded(&self, error: &Error, store: &Store<Guest>) -> Option<Exceeded> {
        if error.is::<Flood>() {
            return Some(Exceeded::Printed(self.limits.output.value));
        }
        if let Some(ResourceTableError::Full) = error.downcast_ref() {
            return Some(Exceeded::Resources(RESOURCES));
        }
        if let Some(Trap::StackOverflow) = error.downcast_ref() {
            return Some(Exceeded::Stack(GUEST_STACK));
        }
        // wasmtime keeps the types of these errors to itself.
        let cause = error.root_cause().to_string();
        if cause.contains("fuel allocated for hostcalls") {
            return Some(if is_compact(&self.export.results) {
                Exceeded::Result(self.limits.output.value)
            } else {
                Exceeded::Values(store.hostcall_fuel())
            });
        }
        if cause.contains("store handle limit exceeded") {
            return Some(Exceeded::Handles(HANDLES));
        }
        if let Some(parts) = parts(&cause) {
            return Some(parts);
        }
        // Last, since a guest may go on after it was refused.
        Some(match store.data().limiter.refused()? {
            Refused::Memory => Exceeded::Memory(self.limits.memory.value),
            Refused::Total(limit) => Exceeded::TotalMemory(limit),
            Refused::Table(limit) => Exceeded::Table(limit),
        })
    }
}

/// As in `resource limit exceeded: memory count too high at 101`.
fn parts(cause: &str) -> Option<Exceeded> {
    let count = cause.strip_prefix("resource limit exceeded: ")?;
    let (what, count) = count.split_once(" count too high at ")?;
    Some(Exceeded::Parts {
        what: match what {
            "memory" => "memories".into(),
            other => format!("{other}s"),
        },
        limit: count.parse::<usize>().ok()?.saturating_sub(1),
    })
}

/// Whether a value's JSON text is longer than `limit` bytes, without making it.
fn exceeds(value: &serde_json::Value, limit: u64) -> bool {
    struct Count {
        left: u64,
    }
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => self.left = left,
                None => return Err(std::io::ErrorKind::FileTooLarge.into()),
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Count { left: limit }, value).is_err()
}

/// `module!function` for each frame, innermost first.
fn frames(backtrace: &WasmBacktrace) -> Vec<Foreign> {
    let frames = backtrace.frames().iter();
    frames
        .map(|frame| {
            let module = frame.module().name().unwrap_or("<unnamed>");
            Foreign::new(match frame.func_name() {
                // The alternate form leaves the hash off.
                Some(name) => format!("{module}!{:#}", rustc_demangle::demangle(name)),
                None => format!("{module}!<function {}>", frame.func_index()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_limit_is_that_of_the_text() {
        let value = json!(["abc", 1]);
        assert_eq!(value.to_string().len(), 9);
        assert!(!exceeds(&value, 9));
        assert!(exceeds(&value, 8));
    }
}
