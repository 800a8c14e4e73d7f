//! Validates that untrusted bytes are a component.

use std::sync::{Mutex, PoisonError};
use std::thread;

use wasmparser::{
    BinaryReaderError, ComponentTypeRef, Encoding, FuncToValidate, FuncValidatorAllocations,
    FunctionBody, Parser, Payload, ValidPayload, Validator, ValidatorResources,
};

use super::decode::THREAD;
use super::error::SchemaError;
use super::features::features;

/// Function bodies that a thread takes from the queue at a time.
const BATCH: usize = 64;
/// Validation threads, at most. More do not help: memory bandwidth and a few
/// large functions limit the speed.
const MAX_THREADS: usize = 2;
/// Functions from which a second thread is worth its cost.
const PARALLEL_FROM: usize = 512;

/// Facts that validation collects besides its result.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Imports that are not functions, instances or types, such as modules.
    pub(super) foreign_imports: Vec<String>,
    /// Content of the first `package-docs` section of the outermost component.
    pub(super) docs: Option<Vec<u8>>,
    /// Offsets of the *names* of all `package-docs` sections, at any depth.
    pub(super) docs_names: Vec<usize>,
}

/// The custom section with doc comments.
pub(super) const DOCS_SECTION: &str = "package-docs";
/// Largest documentation section that is read, in bytes.
const MAX_DOCS: usize = 1 << 20;

type Body<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

/// Validates a component completely.
///
/// # Errors
///
/// [`SchemaError::NotWasm`], [`SchemaError::CoreModule`], or
/// [`SchemaError::Invalid`] with the offset.
pub(super) fn validate(wasm: &[u8]) -> Result<Findings, SchemaError> {
    if !Parser::is_component(wasm) {
        return Err(not_a_component(wasm));
    }
    let mut validator = Validator::new_with_features(features());
    let mut findings = Findings::default();
    let mut bodies: Vec<Body<'_>> = Vec::new();
    let mut depth = 0_usize;
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        findings.note(&payload, depth).map_err(invalid)?;
        refuse_deep_types(&payload, wasm)?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(invalid)? {
            bodies.push((function, body));
        }
    }
    validate_bodies(bodies).map_err(invalid)?;
    Ok(findings)
}

impl Findings {
    fn note(&mut self, payload: &Payload<'_>, depth: usize) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports.clone() {
                    let import = import?;
                    let described = matches!(
                        import.ty,
                        ComponentTypeRef::Func(_)
                            | ComponentTypeRef::Instance(_)
                            | ComponentTypeRef::Type(_)
                    );
                    if !described {
                        self.foreign_imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::CustomSection(section) if section.name() == DOCS_SECTION => {
                if depth == 1 && self.docs.is_none() && section.data().len() <= MAX_DOCS {
                    self.docs = Some(section.data().to_vec());
                }
                // The name ends where the data begins.
                self.docs_names
                    .push(section.data_offset() - DOCS_SECTION.len());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Limit on nested component and instance types. Each level takes only a few
/// bytes, and the validator recurses into it. The number of such declarations
/// in a section is an upper bound of their depth that needs no parsing.
const MAX_NESTED_TYPES: usize = 2_000;

fn refuse_deep_types(payload: &Payload<'_>, wasm: &[u8]) -> Result<(), SchemaError> {
    let Payload::ComponentTypeSection(section) = payload else {
        return Ok(());
    };
    let range = section.range();
    let offset = range.start;
    // A type declaration (01) of a component (41) or an instance (42).
    let nested = wasm[range]
        .windows(2)
        .filter(|pair| matches!(pair, [0x01, 0x41 | 0x42]))
        .count();
    if nested > MAX_NESTED_TYPES {
        let reason = "its types are nested too deep".to_owned();
        return Err(SchemaError::Invalid { reason, offset });
    }
    Ok(())
}

fn not_a_component(wasm: &[u8]) -> SchemaError {
    if Parser::is_core_wasm(wasm) {
        return SchemaError::CoreModule;
    }
    let reason = match Parser::new(0).parse_all(wasm).next() {
        Some(Err(error)) => error.message().to_owned(),
        Some(Ok(Payload::Version { num, encoding, .. })) => match encoding {
            Encoding::Module => return SchemaError::CoreModule,
            Encoding::Component => format!("unknown component version {num:#x}"),
        },
        _ => "the header is missing".to_owned(),
    };
    SchemaError::NotWasm { reason }
}

fn invalid(error: BinaryReaderError) -> SchemaError {
    SchemaError::Invalid {
        reason: error.message().to_owned(),
        offset: error.offset(),
    }
}

/// Validates function bodies on several threads: they are most of the work and
/// independent of each other.
fn validate_bodies(bodies: Vec<Body<'_>>) -> Result<(), BinaryReaderError> {
    let threads = match bodies.len() {
        ..PARALLEL_FROM => 1,
        _ => thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS)),
    };
    let queue = Mutex::new(bodies.into_iter());
    let found: Vec<BinaryReaderError> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .filter_map(|_| {
                let thread = thread::Builder::new().name(THREAD.to_owned());
                thread.spawn_scoped(scope, || drain(&queue)).ok()
            })
            .collect();
        let mut found: Vec<_> = drain(&queue).err().into_iter().collect();
        for other in others {
            match other.join() {
                Ok(result) => found.extend(result.err()),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    });
    // Report the first error by offset, so that the message does not depend on
    // timing.
    match found.into_iter().min_by_key(BinaryReaderError::offset) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn drain(queue: &Mutex<std::vec::IntoIter<Body<'_>>>) -> Result<(), BinaryReaderError> {
    let mut allocations = FuncValidatorAllocations::default();
    loop {
        let batch: Vec<_> = {
            // A panic leaves the queue consistent, and `join` propagates it.
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.by_ref().take(BATCH).collect()
        };
        if batch.is_empty() {
            return Ok(());
        }
        for (function, body) in batch {
            let mut validator = function.into_validator(allocations);
            validator.validate(&body)?;
            allocations = validator.into_allocations();
        }
    }
}
