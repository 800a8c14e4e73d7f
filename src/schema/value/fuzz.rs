//! The fuzz target for the arguments of calls.

use std::sync::OnceLock;

use serde_json::{Map, Value};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Type};
use wasmtime::{Config, Engine};

use super::{Allowance, Returned, Room};
use crate::schema::Outcome;

/// Imported functions whose parameters cover every kind of type.
const TYPES: &str = r#"(component
  (type $flags' (flags "a" "b" "c"))
  (import "flags" (type $flags (eq $flags')))
  (type $enum' (enum "red" "green" "blue"))
  (import "enum" (type $enum (eq $enum')))
  (type $record' (record
    (field "name" string) (field "count" (option u8)) (field "colors" (list $enum))))
  (import "record" (type $record (eq $record')))
  (type $variant' (variant
    (case "none") (case "number" s64) (case "items" (list $record)) (case "flags" $flags)))
  (import "variant" (type $variant (eq $variant')))
  (import "numbers" (func
    (param "x" (tuple bool u8 s8 u16 s16 u32 s32 u64 s64 f32 f64 char string))))
  (import "record-of" (func (param "x" $record) (param "n" (option $variant))))
  (import "variants" (func (param "x" (list $variant))))
  (import "options" (func (param "x" (option (option (option u32))))))
  (import "results" (func (param "x" (result (list u8) (error (option string))))))
  (import "empty" (func (param "x" (result))))
  (import "maps" (func
    (param "x" (map string (list f64))) (param "y" (option (map u8 $flags)))))
  (import "fixed" (func (param "x" (list u16 3)) (param "y" (option (list (list u8)))))))"#;

/// Memory limit for the values, in bytes.
const MEMORY: usize = 1 << 20;

/// Converts JSON arguments for functions of many types, and checks that the values do not change
/// when they are written as results and read again.
pub fn arguments(data: &[u8]) {
    let Ok(args) = serde_json::from_slice::<Map<String, Value>>(data) else {
        return;
    };
    for params in functions() {
        let Ok(values) = super::arguments(&args, params, &mut Allowance(MEMORY)) else {
            continue;
        };
        for (value, (name, ty)) in values.values.iter().zip(params) {
            let room = Room {
                memory: &mut Allowance(usize::MAX),
                text: &mut u64::MAX.clone(),
            };
            let types = std::slice::from_ref(ty);
            let written = super::returned(vec![value.clone()], types, Outcome::Plain, room);
            let Ok(Returned::Ok(json)) = written else {
                panic!("{value:?} became {written:?}");
            };
            let args = Map::from_iter([(name.clone(), json.clone())]);
            let param = [(name.clone(), ty.clone())];
            let again = super::arguments(&args, &param, &mut Allowance(usize::MAX));
            let again = again.map(|again| again.values);
            assert_eq!(again.as_deref(), Ok(std::slice::from_ref(value)), "{json}");
        }
    }
}

/// Returns the parameters of each function.
fn functions() -> &'static [Vec<(String, Type)>] {
    static FUNCTIONS: OnceLock<Vec<Vec<(String, Type)>>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let mut config = Config::new();
        config
            .wasm_component_model_map(true)
            .wasm_component_model_fixed_length_lists(true);
        let engine = Engine::new(&config).expect("a valid configuration");
        let wasm = wat::parse_str(TYPES).expect("valid text");
        let component = Component::new(&engine, wasm).expect("a valid component");
        let component = component.component_type();
        let imports = component.imports(&engine);
        let functions = imports.filter_map(|(_, import)| match import.ty {
            ComponentItem::ComponentFunc(function) => Some(function),
            _ => None,
        });
        functions
            .map(|function| {
                let params = function.params();
                params.map(|(name, ty)| (name.to_owned(), ty)).collect()
            })
            .collect()
    })
}
