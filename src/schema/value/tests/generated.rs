//! Generated types, with generated values.

use proptest::prelude::*;
use serde_json::{Value, json};
use wasmtime::component::Val;

use super::{from_json, runtime_type, to_json};
use crate::schema::make_exact;
use crate::schema::tests::strict::{check_result, check_tool};
use crate::schema::value::{Allowance, Returned, Room, returned};
use crate::schema::{Callable, describe};

/// A WIT type that has JSON.
#[derive(Debug, Clone)]
enum Wit {
    Plain(&'static str),
    List(Box<Wit>),
    Fixed(Box<Wit>, u32),
    Tuple(Vec<Wit>),
    Option(Box<Wit>),
    Result(Option<Box<Wit>>, Option<Box<Wit>>),
    Map(&'static str, Box<Wit>),
    Record(Vec<Wit>),
    Variant(Vec<Option<Wit>>),
    Enum(usize),
    Flags(usize),
}

fn wit() -> impl Strategy<Value = Wit> {
    let leaf = prop_oneof![
        8 => prop::sample::select(vec![
            "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char",
            "string",
        ])
        .prop_map(Wit::Plain),
        1 => (1_usize..5).prop_map(Wit::Enum),
        1 => (1_usize..33).prop_map(Wit::Flags),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        let keys = vec!["string", "u8", "s64", "char", "bool"];
        let payload = prop::option::of(inner.clone());
        prop_oneof![
            boxed.clone().prop_map(Wit::List),
            (boxed.clone(), 1_u32..4).prop_map(|(ty, length)| Wit::Fixed(ty, length)),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Wit::Tuple),
            boxed.clone().prop_map(Wit::Option),
            (
                prop::option::of(boxed.clone()),
                prop::option::of(boxed.clone())
            )
                .prop_map(|(ok, err)| Wit::Result(ok, err)),
            (prop::sample::select(keys), boxed).prop_map(|(key, ty)| Wit::Map(key, ty)),
            prop::collection::vec(inner, 1..4).prop_map(Wit::Record),
            prop::collection::vec(payload, 1..4).prop_map(Wit::Variant),
        ]
    })
}

/// Writes a type; the named ones go to `named`.
fn write(wit: &Wit, named: &mut Vec<String>) -> String {
    let some = |ty: &Option<Box<Wit>>, named: &mut Vec<String>| match ty {
        Some(ty) => write(ty, named),
        None => "_".to_owned(),
    };
    let text = match wit {
        Wit::Plain(name) => return (*name).to_owned(),
        Wit::List(ty) => return format!("list<{}>", write(ty, named)),
        Wit::Fixed(ty, length) => return format!("list<{}, {length}>", write(ty, named)),
        Wit::Option(ty) => return format!("option<{}>", write(ty, named)),
        Wit::Map(key, ty) => return format!("map<{key}, {}>", write(ty, named)),
        Wit::Tuple(types) => {
            let types: Vec<_> = types.iter().map(|ty| write(ty, named)).collect();
            return format!("tuple<{}>", types.join(", "));
        }
        Wit::Result(None, None) => return "result".to_owned(),
        Wit::Result(ok, None) => return format!("result<{}>", some(ok, named)),
        Wit::Result(ok, err) => {
            return format!("result<{}, {}>", some(ok, named), some(err, named));
        }
        Wit::Record(types) => {
            let fields = types.iter().enumerate();
            let fields = fields.map(|(n, ty)| format!("field{n}: {},", write(ty, named)));
            format!("record NAME {{ {} }}", fields.collect::<String>())
        }
        Wit::Variant(cases) => {
            let cases = cases.iter().enumerate().map(|(n, ty)| match ty {
                Some(ty) => format!("case{n}({}),", write(ty, named)),
                None => format!("case{n},"),
            });
            format!("variant NAME {{ {} }}", cases.collect::<String>())
        }
        Wit::Enum(cases) => format!("enum NAME {{ {} }}", list("case", *cases)),
        Wit::Flags(flags) => format!("flags NAME {{ {} }}", list("flag", *flags)),
    };
    let name = format!("type{}", named.len());
    named.push(text.replace("NAME", &name));
    name
}

fn list(name: &str, count: usize) -> String {
    (0..count).map(|n| format!("{name}{n},")).collect()
}

/// A value of a type, chosen by bytes; with none left, the simplest.
fn value(wit: &Wit, choices: &mut dyn Iterator<Item = u64>) -> Val {
    let n = choices.next().unwrap_or_default();
    let several = |ty: &Wit, count: u64, choices: &mut dyn Iterator<Item = u64>| {
        (0..count).map(|_| value(ty, choices)).collect::<Vec<_>>()
    };
    let boxed = |ty: &Option<Box<Wit>>, choices: &mut dyn Iterator<Item = u64>| {
        ty.as_ref().map(|ty| Box::new(value(ty, choices)))
    };
    match wit {
        Wit::Plain(name) => plain(name, n),
        Wit::List(ty) => Val::List(several(ty, n % 4, choices)),
        Wit::Fixed(ty, length) => Val::FixedLengthList(several(ty, (*length).into(), choices)),
        Wit::Tuple(types) => Val::Tuple(types.iter().map(|ty| value(ty, choices)).collect()),
        Wit::Option(_) if n.is_multiple_of(3) => Val::Option(None),
        Wit::Option(ty) => Val::Option(Some(Box::new(value(ty, choices)))),
        Wit::Result(ok, _) if n.is_multiple_of(2) => Val::Result(Ok(boxed(ok, choices))),
        Wit::Result(_, err) => Val::Result(Err(boxed(err, choices))),
        // Keys that come twice would not come back.
        Wit::Map(key, ty) => Val::Map(
            (0..n % 3)
                .filter(|n| *n < 2)
                .map(|n| (plain(key, n), value(ty, choices)))
                .collect(),
        ),
        Wit::Record(types) => {
            let fields = types.iter().enumerate();
            Val::Record(
                fields
                    .map(|(n, ty)| (format!("field{n}"), value(ty, choices)))
                    .collect(),
            )
        }
        Wit::Variant(cases) => {
            let case = n as usize % cases.len();
            let payload = cases[case].as_ref().map(|ty| Box::new(value(ty, choices)));
            Val::Variant(format!("case{case}"), payload)
        }
        Wit::Enum(cases) => Val::Enum(format!("case{}", n as usize % cases)),
        Wit::Flags(flags) => {
            let set = (0..*flags).filter(|flag| n >> flag & 1 == 1);
            Val::Flags(set.map(|flag| format!("flag{flag}")).collect())
        }
    }
}

fn plain(name: &str, n: u64) -> Val {
    match name {
        "bool" => Val::Bool(n & 1 == 1),
        "u8" => Val::U8(n as u8),
        "s8" => Val::S8(n as i8),
        "u16" => Val::U16(n as u16),
        "s16" => Val::S16(n as i16),
        "u32" => Val::U32(n as u32),
        "s32" => Val::S32(n as i32),
        "u64" => Val::U64(n),
        "s64" => Val::S64(n as i64),
        "f32" => Val::Float32(f32::from_bits(n as u32)),
        "f64" => Val::Float64(f64::from_bits(n)),
        "char" => Val::Char(char::from_u32(n as u32 % 0x11_0000).unwrap_or('x')),
        _ => Val::String(format!(
            "{n}\u{0}\"é{}",
            char::from_u32(n as u32).unwrap_or('y')
        )),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Value to JSON and back is the same value, and the JSON is what the
    /// schemas promise.
    #[test]
    fn values_come_back(
        wit in wit(),
        choices in prop::collection::vec(any::<u64>(), 40),
    ) {
        let mut named = Vec::new();
        let text = write(&wit, &mut named);
        let (ty, wasm) = runtime_type(&named.concat(), &text);
        let val = value(&wit, &mut choices.into_iter());

        let json = to_json(&val, &ty).expect("the value is of the type");
        let back = from_json(&json, &ty, "x");
        prop_assert_eq!(back.as_ref(), Ok(&val), "{} as {}", json, text);

        let description = describe(&wasm, "demo").expect("the component is valid");
        let Callable::Yes { tool } = &description.functions[0].body else {
            panic!("{text} is callable");
        };
        check_tool(&json!({
            "name": tool.normalized_name, "description": tool.description,
            "inputSchema": tool.input_schema, "outputSchema": tool.output_schema,
        }));
        // What clients get as structured content.
        let mut exact = json.clone();
        make_exact(&mut exact);
        let back = from_json(&exact, &ty, "x");
        prop_assert_eq!(back.as_ref(), Ok(&val), "{} as {}", exact, text);
        let args = json!({ "x": exact });
        check_result(&json!(tool.input_schema), &args);
        let mut text_left = u64::MAX;
        let room = Room { memory: &mut Allowance(usize::MAX), text: &mut text_left };
        if let Returned::Ok(result) = returned(vec![val], &[ty], tool.outcome, room).expect("as above") {
            let mut output = json!({ "result": result });
            make_exact(&mut output);
            check_result(&json!(tool.output_schema), &output);
        }
    }

    /// JSON of any kind gives a value or an error.
    #[test]
    fn wrong_json_never_panics(wit in wit(), json in any_json()) {
        let mut named = Vec::new();
        let text = write(&wit, &mut named);
        let (ty, _) = runtime_type(&named.concat(), &text);
        if let Ok(val) = from_json(&json, &ty, "x") {
            to_json(&val, &ty).expect("what was read can be written");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
        prop::sample::select(vec!["case0", "flag0", "NaN", "1", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let names =
            prop::sample::select(vec!["tag", "val", "ok", "err", "some", "field0", "field1"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..3).prop_map(|fields| fields
                .into_iter()
                .map(|(name, json)| (name.to_owned(), json))
                .collect()),
        ]
    })
}
