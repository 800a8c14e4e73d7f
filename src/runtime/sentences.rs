//! Errors that wasmtime reports only as text.
//!
//! wasmtime does not export the types of these errors, so their messages are matched
//! here and nowhere else; a test provokes each one.

use wasmtime::Error;

/// A limit that wasmtime enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// The fuel for values that come from a guest is spent.
    Crossing,
    /// A store has too many handles.
    Handles,
    /// One component has too many of these parts.
    Parts(Part),
}

/// A part of a component instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Instances,
    Memories,
    Tables,
}

/// Returns the limit that an error is about, if any.
pub(super) fn watched(error: &Error) -> Option<Watched> {
    let cause = error.root_cause().to_string();
    if cause.contains("fuel allocated for hostcalls") {
        return Some(Watched::Crossing);
    }
    if cause.contains("store handle limit exceeded") {
        return Some(Watched::Handles);
    }
    // For example `resource limit exceeded: memory count too high at 101`.
    let count = cause.strip_prefix("resource limit exceeded: ")?;
    match count.split_once(" count too high at ")?.0 {
        "instance" => Some(Watched::Parts(Part::Instances)),
        "memory" => Some(Watched::Parts(Part::Memories)),
        "table" => Some(Watched::Parts(Part::Tables)),
        _ => None,
    }
}

/// Returns the kind of a trap, without the prefix.
pub(super) fn trap(error: &Error) -> String {
    let cause = error.root_cause().to_string();
    cause
        .strip_prefix("wasm trap: ")
        .unwrap_or(&cause)
        .to_owned()
}

/// Returns the one of `names` that a linking error is about: the longest name that it quotes.
pub(super) fn import<'n>(error: &Error, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let message = format!("{error:#}");
    names
        .filter(|name| message.contains(&format!("`{name}`")))
        .max_by_key(|name| name.len())
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker, Val};
    use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};

    use super::*;

    fn engine() -> Engine {
        Engine::default()
    }

    fn run(text: &str, limits: StoreLimits, prepare: impl Fn(&mut Store<StoreLimits>)) -> Error {
        let engine = engine();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        prepare(&mut store);
        let linker = Linker::new(&engine);
        let instance = match linker.instantiate(&mut store, &component) {
            Ok(instance) => instance,
            Err(error) => return error,
        };
        let function = instance.get_func(&mut store, "f").unwrap();
        let mut results = vec![Val::Bool(false); function.ty(&store).results().len()];
        function.call(&mut store, &[], &mut results).unwrap_err()
    }

    #[test]
    fn too_much_that_comes_from_a_guest() {
        let text = r#"(component
            (core module $m (memory (export "memory") 1)
                (data (i32.const 4) "\10\00\00\00")
                (func (export "f") (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func (export "f") (result string)
                (canon lift (core func $i "f") (memory (core memory $i "memory")))))"#;
        let error = run(text, StoreLimits::default(), |store| {
            store.set_hostcall_fuel(15);
        });
        assert_eq!(watched(&error), Some(Watched::Crossing), "{error:#}");
    }

    #[test]
    fn too_many_handles() {
        let text = r#"(component
            (type $r (resource (rep i32)))
            (core func $new (canon resource.new $r))
            (core module $m (import "h" "new" (func $new (param i32) (result i32)))
                (func (export "f") (loop $l (drop (call $new (i32.const 0))) br $l)))
            (core instance $i (instantiate $m (with "h" (instance (export "new" (func $new))))))
            (func (export "f") (canon lift (core func $i "f"))))"#;
        let error = run(text, StoreLimits::default(), |store| {
            store.set_max_component_handles(9);
        });
        assert_eq!(watched(&error), Some(Watched::Handles), "{error:#}");
    }

    #[test]
    fn too_many_parts() {
        for (part, what) in [
            ("(memory 0)", Part::Memories),
            ("(table 0 funcref)", Part::Tables),
            ("", Part::Instances),
        ] {
            let text = format!(
                r#"(component (core module $m {part} (func (export "f")))
                (core instance (instantiate $m)) (core instance (instantiate $m))
                (core instance $i (instantiate $m))
                (func (export "f") (canon lift (core func $i "f"))))"#
            );
            let limits = StoreLimitsBuilder::new();
            let limits = match what {
                Part::Memories => limits.memories(2),
                Part::Tables => limits.tables(2),
                Part::Instances => limits.instances(2),
            };
            let error = run(&text, limits.build(), |_| {});
            assert_eq!(watched(&error), Some(Watched::Parts(what)), "{error:#}");
        }
    }

    #[test]
    fn a_trap() {
        let text = r#"(component (core module $m (func (export "f") unreachable))
            (core instance $i (instantiate $m))
            (func (export "f") (canon lift (core func $i "f"))))"#;
        let error = run(text, StoreLimits::default(), |_| {});
        assert_eq!(trap(&error), "wasm `unreachable` instruction executed");
        assert_eq!(watched(&error), None);
    }

    #[test]
    fn an_import_that_nothing_provides() {
        let text = r#"(component
            (import "a:b/cd" (instance (export "f" (func)))))"#;
        let engine = engine();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let error = Linker::<()>::new(&engine)
            .instantiate_pre(&component)
            .map(drop)
            .unwrap_err();
        let names = ["a:b/c", "a:b/cd"];
        assert_eq!(
            import(&error, names.into_iter()),
            Some("a:b/cd"),
            "{error:#}"
        );
    }
}
