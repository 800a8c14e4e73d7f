//! One call in one fresh instance.

use std::sync::Arc;

use wasmtime::component::{Type, Val};
use wasmtime::{Error, PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::code::{Code, Export};
use super::error::CallError;
use super::limits::Limiter;
use super::sandbox::{Connector, Denials, Guest, Sandbox};
use crate::schema::Outcome;
use crate::schema::value::{self, Returned};

/// Bytes of host memory the values of one result may take. A number in a list
/// takes some thirty.
const RESULT_MEMORY: usize = 256 << 20;

/// Everything a call needs, ready to move to a guest thread.
pub(super) struct Call {
    pub code: Arc<Code>,
    pub export: Arc<Export>,
    pub params: Vec<Val>,
    pub sandbox: Sandbox,
    pub denials: Denials,
    pub connector: Arc<Connector>,
    /// The component's name, for the log.
    pub component: Arc<str>,
    /// Bytes.
    pub memory_limit: u64,
    /// Bytes of JSON.
    pub output_limit: u64,
}

impl Call {
    pub async fn run(self) -> Result<Returned, CallError> {
        let limiter = Limiter::new(self.memory_limit);
        let guest = Guest::new(
            self.sandbox.clone(),
            Arc::clone(&self.component),
            limiter,
            self.denials.clone(),
            Arc::clone(&self.connector),
        );
        let mut store = Store::new(self.code.pre.engine(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store.set_hostcall_fuel(RESULT_MEMORY);

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
        if exceeds(json, self.output_limit) {
            return Err(self.output_limit());
        }
        Ok(returned)
    }

    fn output_limit(&self) -> CallError {
        CallError::OutputLimit {
            limit: self.output_limit,
        }
    }

    /// Turns wasmtime's error into ours.
    fn explain(&self, error: &Error, store: &Store<Guest>) -> CallError {
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return CallError::Exit { status: exit.0 };
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return CallError::Busy;
        }
        if store.data().limiter.refused() {
            return CallError::MemoryLimit {
                limit: self.memory_limit,
            };
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let cause = error.root_cause().to_string();
        if backtrace.is_none() && !error.is::<Trap>() {
            // wasmtime keeps the type of this error to itself.
            return if cause.contains("fuel allocated for hostcalls") {
                self.output_limit()
            } else {
                CallError::InvalidResult { message: cause }
            };
        }
        CallError::Trap {
            message: cause
                .strip_prefix("wasm trap: ")
                .unwrap_or(&cause)
                .to_owned(),
            backtrace: backtrace.map(frames).unwrap_or_default(),
        }
    }
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
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let frames = backtrace.frames().iter();
    frames
        .map(|frame| {
            let module = frame.module().name().unwrap_or("<unnamed>");
            match frame.func_name() {
                // The alternate form leaves the hash off.
                Some(name) => format!("{module}!{:#}", rustc_demangle::demangle(name)),
                None => format!("{module}!<function {}>", frame.func_index()),
            }
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
