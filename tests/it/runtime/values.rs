//! The server's memory for arguments and results.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use wassette::error::Diagnose;
use wassette::runtime::{CallError, Exceeded, Program, Returned, Runtime};

use crate::support::components_values::{Named, flags, many, options};
use crate::support::mcp::Place;
use crate::support::program::{Installed, call};

/// Installs `many` and `length` for a named type; returns the program and its runtime.
fn of(ty: &str, memory: u64) -> (Installed, Arc<Runtime>, Arc<Program>) {
    let mut named = Named::default();
    let name = named.named(ty);
    let installed = Installed::new(&many(&named, &name));
    let mut options = installed.options();
    options.memory_limit = memory;
    options.total_memory = Some(512 << 20);
    let runtime = Runtime::new(options);
    let program = runtime.program(installed.source.clone());
    (installed, runtime, program)
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_count_as_memory_of_the_call() {
    let (_installed, runtime, program) = of(&options(500), 64 << 20);
    let length =
        async |count: usize| call(&program, "length", json!({"x": vec![json!({}); count]})).await;
    assert_eq!(length(100).await.unwrap(), Returned::Ok(json!(100)));
    // 6 KB of JSON, but 90 MB of values.
    let error = length(2000).await.unwrap_err();
    assert_eq!(error.code(), "memory-limit", "{error:?}");
    assert!(error.to_string().contains("64 MiB"), "{error}");
    assert_eq!(runtime.memory().used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_take_no_more_than_is_documented() {
    let (_installed, runtime, program) = of(&flags(32), 512 << 20);
    let all: Vec<String> = (0..32).map(|n| format!("a{n}")).collect();
    let many = async |n: usize| {
        let args = json!({"x": vec![json!(all); 100], "n": n});
        call(&program, "many", args).await
    };
    // 6,400 bytes in the guest, but 5 MB in the server.
    let Returned::Ok(answer) = many(20).await.unwrap() else {
        panic!("an error value");
    };
    assert_eq!(answer, json!(vec![vec![json!(all); 100]; 20]));
    let error = many(4000).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Limit(met) if met.exceeded == Exceeded::Values(64 << 20)),
        "{error:?}"
    );
    assert_eq!(error.code(), "output-limit");
    assert_eq!(runtime.memory().used(), 0);
}

/// A type in the text format, and its largest small value.
#[derive(Clone, Debug)]
enum Type {
    U8,
    U64,
    Char,
    Text,
    Flags(usize),
    Enum(usize),
    List(Box<Type>),
    Option(Box<Type>),
    Tuple(Vec<Type>),
    Record(Vec<Type>),
    Variant(Vec<Type>),
}

impl Type {
    fn any() -> impl Strategy<Value = Type> {
        let leaf = prop_oneof![
            Just(Type::U8),
            Just(Type::U64),
            Just(Type::Char),
            Just(Type::Text),
            (1_usize..32).prop_map(Type::Flags),
            (1_usize..300).prop_map(Type::Enum),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let some = prop::collection::vec(inner.clone(), 1..5);
            let boxed = inner.prop_map(Box::new);
            prop_oneof![
                boxed.clone().prop_map(Type::List),
                boxed.prop_map(Type::Option),
                some.clone().prop_map(Type::Tuple),
                some.clone().prop_map(Type::Record),
                some.prop_map(Type::Variant),
            ]
        })
    }

    fn write(&self, named: &mut Named) -> String {
        let mut fields = |types: &[Type], kind: &str| -> String {
            let fields = types.iter().enumerate();
            let fields = fields.map(|(n, ty)| format!(" ({kind} \"a{n}\" {})", ty.write(named)));
            fields.collect()
        };
        match self {
            Type::U8 => "u8".into(),
            Type::U64 => "u64".into(),
            Type::Char => "char".into(),
            Type::Text => "string".into(),
            Type::Flags(count) => named.named(&flags(*count)),
            Type::Enum(count) => {
                let names: String = (0..*count).map(|n| format!(" \"a{n}\"")).collect();
                named.named(&format!("(enum{names})"))
            }
            Type::List(ty) => {
                let list = format!("(list {})", ty.write(named));
                named.alias(&list)
            }
            Type::Option(ty) => {
                let option = format!("(option {})", ty.write(named));
                named.alias(&option)
            }
            Type::Tuple(types) => {
                let types: Vec<String> = types.iter().map(|ty| ty.write(named)).collect();
                named.alias(&format!("(tuple {})", types.join(" ")))
            }
            Type::Record(types) => {
                let fields = fields(types, "field");
                named.named(&format!("(record{fields})"))
            }
            Type::Variant(types) => {
                let cases = fields(types, "case");
                named.named(&format!("(variant{cases} (case \"none\"))"))
            }
        }
    }

    fn value(&self) -> Value {
        match self {
            Type::U8 => json!(200),
            Type::U64 => json!(u64::MAX),
            Type::Char => json!("\u{1f600}"),
            Type::Text => json!("a"),
            Type::Flags(count) => (0..*count).map(|n| json!(format!("a{n}"))).collect(),
            Type::Enum(_) => json!("a0"),
            Type::List(ty) => json!([ty.value()]),
            Type::Option(ty) if matches!(**ty, Type::Option(_)) => json!({"some": ty.value()}),
            Type::Option(ty) => ty.value(),
            Type::Tuple(types) => types.iter().map(Type::value).collect(),
            Type::Record(types) => {
                let fields = types.iter().enumerate();
                let fields = fields.map(|(n, ty)| (format!("a{n}"), ty.value()));
                Value::Object(fields.collect())
            }
            Type::Variant(types) => {
                let last = types.len() - 1;
                json!({"tag": format!("a{last}"), "val": types[last].value()})
            }
        }
    }
}

/// Whatever the types, a server takes no more than its limit, plus its own needs: programs, code,
/// and messages being read and written.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_values_of_any_type_take_more_than_the_servers_memory() {
    const TOTAL: u64 = 256 << 20;
    const BESIDE: u64 = 128 << 20;
    const ROUNDS: usize = 6;

    let place = Place::new();
    place.configure(&format!(
        "[limits]\nmemory = {}\ntotal_memory = {TOTAL}\n",
        TOTAL / 2
    ));
    let client = place.stdio().await;
    let mut runner = TestRunner::deterministic();
    let mut met = 0;
    for round in 0..ROUNDS {
        let ty = Type::any().new_tree(&mut runner).unwrap().current();
        let mut named = Named::default();
        let name = ty.write(&mut named);
        let component = many(&named, &name);
        client
            .load(&place.component(&format!("c{round}.wat"), &component))
            .await;
        let value = ty.value();
        let items = 200_000 / value.to_string().len();
        let many = format!("c{round}_many");
        let (length, many) = match round {
            0 => ("length".to_owned(), "many".to_owned()),
            _ => (format!("c{round}_length"), many),
        };
        let large = client.call(&length, json!({"x": vec![value.clone(); items]}));
        let wide = async |n: usize| {
            client
                .call(&many, json!({"x": vec![value.clone(); 100], "n": n}))
                .await
        };
        let answers = [large.await, wide(1).await];
        let (a, b, c) = tokio::join!(wide(10_000), wide(2_000), wide(500));
        for answer in answers.into_iter().chain([a, b, c]) {
            if answer.is_error == Some(true) {
                let told = crate::support::mcp::text_of(&answer);
                let code = told["code"].as_str().unwrap();
                let limits = ["memory-limit", "server-memory-limit", "output-limit"];
                assert!(limits.contains(&code), "{ty:?}: {told}");
                met += 1;
            }
        }
        let peak = client.peak_memory();
        assert!(peak < TOTAL + BESIDE, "{} MiB for {ty:?}", peak >> 20);
    }
    assert!(met >= ROUNDS, "only {met} calls met a limit");
}
