//! Decodes the types of a component without compiling it.

use std::borrow::Cow;
use std::panic;
use std::sync::Once;
use std::thread;

use wit_component::{DecodedWasm, OutputToString, WitPrinter};
use wit_parser::{Resolve, WorldId};

use super::bare_types;
use super::docs::PackageDocs;
use super::error::SchemaError;
use super::size;
use super::validate::{DOCS_SECTION, Findings, validate};

/// A component's world, with the documentation of its `package-docs` section.
pub(super) struct Decoded {
    pub(super) resolve: Resolve,
    pub(super) world: WorldId,
    pub(super) foreign_imports: Vec<String>,
}

/// Validates a component and decodes its types.
///
/// # Errors
///
/// A [`SchemaError`] other than [`SchemaError::UnknownImports`] and
/// [`SchemaError::NoTools`].
pub(super) fn decode(wasm: &[u8]) -> Result<Decoded, SchemaError> {
    let findings = validate(wasm)?;
    let bytes = hide_docs(wasm, &findings);
    let decoded = wit_component::decode(&bytes)
        .or_else(|error| match bare_types::as_imports(&bytes) {
            Some(bytes) => wit_component::decode(&bytes),
            None => Err(error),
        })
        .map_err(|error| undescribable(format!("{error:#}")))?;
    let DecodedWasm::Component(mut resolve, world) = decoded else {
        return Err(SchemaError::WitPackage);
    };
    if let Some(docs) = findings.docs.as_deref().and_then(PackageDocs::parse) {
        docs.inject(&mut resolve, world);
    }
    Ok(Decoded {
        resolve,
        world,
        foreign_imports: findings.foreign_imports,
    })
}

fn undescribable(reason: impl Into<String>) -> SchemaError {
    SchemaError::Undescribable {
        reason: reason.into(),
    }
}

/// Stack in bytes. Enough for the deepest types that [`validate`] accepts, at
/// 32 KiB per level.
const STACK: usize = 64 << 20;

/// Name of the threads that decode untrusted types.
pub(super) const THREAD: &str = "schema";

/// Decodes untrusted types on a separate thread.
///
/// Decoding recurses, so the thread has a stack of known size. The decoder
/// asserts properties that valid components should have; if one does not hold,
/// its panic is turned into an error.
pub(super) fn contained<T: Send>(
    work: impl FnOnce() -> Result<T, SchemaError> + Send,
) -> Result<T, SchemaError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(keep_panics_from_the_terminal);
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name(THREAD.to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| undescribable(format!("no thread for it: {error}")))?;
        match thread.join() {
            Ok(result) => result,
            Err(_) => Err(undescribable("the decoder does not understand it")),
        }
    })
}

/// Logs panics of decoder threads instead of printing them: the user gets an error instead.
fn keep_panics_from_the_terminal() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() == Some(THREAD) {
            tracing::debug!("the decoder panicked: {info}");
        } else {
            others(info);
        }
    }));
}

/// Renames `package-docs` sections, so that the decoder ignores them.
///
/// In a component, the section is a copy from the WIT package, with worlds
/// named as in the source. The decoder expects the names in the component
/// (`root`) and would reject the component. [`PackageDocs`] reads the section
/// instead.
fn hide_docs<'a>(wasm: &'a [u8], findings: &Findings) -> Cow<'a, [u8]> {
    if findings.docs_names.is_empty() {
        return Cow::Borrowed(wasm);
    }
    let mut copy = wasm.to_vec();
    for &start in &findings.docs_names {
        copy[start..start + DOCS_SECTION.len()].copy_from_slice(b"hidden--docs");
    }
    Cow::Owned(copy)
}

/// Most types that are printed. With shared types, the WIT text of a small component can be
/// arbitrarily long.
const MAX_PRINTED_TYPES: u64 = 200_000;

/// Returns the world as WIT text, for display.
pub(super) fn wit_text(decoded: &Decoded) -> String {
    let Decoded { resolve, world, .. } = decoded;
    let Some(package) = resolve.worlds[*world].package else {
        return String::new();
    };
    if size::printed(resolve) > MAX_PRINTED_TYPES {
        return "// The types of this component are too large to print.\n".to_owned();
    }
    let others: Vec<_> = resolve
        .packages
        .iter()
        .map(|(id, _)| id)
        .filter(|id| *id != package)
        .collect();
    let mut printer = WitPrinter::<OutputToString>::default();
    match printer.print(resolve, package, &others) {
        Ok(()) => String::from(printer.output),
        Err(error) => format!("// The WIT cannot be printed: {error:#}\n"),
    }
}
