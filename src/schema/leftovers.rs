//! Recognizes exports that toolchains leave behind.
//!
//! Toolchains for interpreted languages call an export at build time to
//! initialize the interpreter, and leave it in the component. Calling it again
//! is useless or harmful, so it is not offered as a tool. It is recognized by
//! its exact signature, since a component may have an `init` of its own:
//!
//! - [componentize-py][py]: an interface declared in the world under the plain
//!   name `exports`, with the one function `init: func(app-name: string,
//!   symbols: symbols, …) -> result<_, string>`;
//! - [componentize-qjs][qjs] (`jco componentize --backend qjs`): a function
//!   `init` of the world, returning `result<_, string>` and taking the script as
//!   a string named `script`, by itself or among the parameters that later
//!   releases added; and the engine's name somewhere in the bytes.
//!
//! [py]: https://github.com/bytecodealliance/componentize-py/blob/main/wit/init.wit
//! [qjs]: https://github.com/andreiltd/componentize-qjs/blob/main/crates/runtime/wit/init.wit

use wit_parser::{Function, FunctionKind, Resolve, Result_, Type, TypeDefKind};

use super::ExportPath;

/// All parameters that `init` has had in any release of componentize-qjs.
const QJS_PARAMS: &[&str] = &["shim", "script", "entry-path", "disable-gc"];
const QJS_ENGINE: &[u8] = b"quickjs";

/// Returns the toolchain that left the function behind, if any.
pub(super) fn toolchain(
    resolve: &Resolve,
    path: &ExportPath,
    function: &Function,
    wasm: &[u8],
) -> Option<&'static str> {
    if function.name != "init"
        || function.kind != FunctionKind::Freestanding
        || !returns_message(resolve, function)
    {
        return None;
    }
    match path.interface.as_deref() {
        Some("exports") if is_python(resolve, function) => Some("componentize-py"),
        None if is_qjs(function) && contains(wasm, QJS_ENGINE) => Some("componentize-qjs"),
        _ => None,
    }
}

fn is_python(resolve: &Resolve, function: &Function) -> bool {
    let [app, symbols, ..] = function.params.as_slice() else {
        return false;
    };
    let named_symbols = matches!(symbols.ty, Type::Id(id)
        if resolve.types[id].name.as_deref() == Some("symbols"));
    app.name == "app-name" && app.ty == Type::String && symbols.name == "symbols" && named_symbols
}

fn is_qjs(function: &Function) -> bool {
    let mut params = function.params.iter();
    params
        .clone()
        .all(|param| QJS_PARAMS.contains(&param.name.as_str()))
        && params.any(|param| param.name == "script" && param.ty == Type::String)
}

/// `result<_, string>`
fn returns_message(resolve: &Resolve, function: &Function) -> bool {
    let Some(Type::Id(id)) = function.result else {
        return false;
    };
    matches!(
        resolve.types[id].kind,
        TypeDefKind::Result(Result_ {
            ok: None,
            err: Some(Type::String),
        })
    )
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
