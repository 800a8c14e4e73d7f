//! Components for the runtime's tests, as WebAssembly text.

use super::wat;

/// `add: func(a: u32, b: u32) -> u32`, and the same in an interface.
pub const ADD: &str = r#"
(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32)
      local.get 0 local.get 1 i32.add))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add")))
  (export "add" (func $add))
  (instance $math (export "add" (func $add)))
  (export "test:calc/math@1.0.0" (instance $math)))
"#;

/// `check: func(n: u32) -> result<u32, string>` returns an error for zero.
pub const CHECK: &str = r#"
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 64) "zero is not allowed")
    (func (export "check") (param i32) (result i32)
      (if (i32.eqz (local.get 0))
        (then
          (i32.store8 (i32.const 0) (i32.const 1))
          (i32.store (i32.const 4) (i32.const 64))
          (i32.store (i32.const 8) (i32.const 19)))
        (else
          (i32.store8 (i32.const 0) (i32.const 0))
          (i32.store (i32.const 4) (local.get 0))))
      i32.const 0))
  (core instance $i (instantiate $m))
  (func (export "check") (param "n" u32) (result (result u32 (error string)))
    (canon lift (core func $i "check") (memory (core memory $i "memory")))))
"#;

/// `fail: func()` traps two functions deep.
pub const TRAP: &str = r#"
(component
  (core module $inner
    (func $divide_by_zero unreachable)
    (func $_ZN4demo5outer17h0123456789abcdefE (export "fail") call $divide_by_zero))
  (core instance $i (instantiate $inner))
  (func (export "fail") (canon lift (core func $i "fail"))))
"#;

/// `spin: func()` never ends. `add` as in [`ADD`].
pub const SPIN: &str = r#"
(component
  (core module $m
    (func (export "spin") (loop $again br $again))
    (func (export "add") (param i32 i32) (result i32)
      local.get 0 local.get 1 i32.add))
  (core instance $i (instantiate $m))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add"))))
"#;

/// `greedy: func()` takes memory for ever; `careful: func()` traps when it is
/// refused; `modest: func(pages: u32) -> u32` takes some once and returns the result.
pub const MEMORY: &str = r#"
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "greedy")
      (loop $again (drop (memory.grow (i32.const 16))) br $again))
    (func (export "careful")
      (loop $again
        (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      unreachable)
    (func (export "modest") (param i32) (result i32)
      (memory.grow (local.get 0))))
  (core instance $i (instantiate $m))
  (func (export "greedy") (canon lift (core func $i "greedy")))
  (func (export "careful") (canon lift (core func $i "careful")))
  (func (export "modest") (param "pages" u32) (result u32)
    (canon lift (core func $i "modest"))))
"#;

/// Needs 2 GiB to start.
pub const MEMORY_AT_START: &str = r#"
(component
  (core module $m
    (memory (export "memory") 32768)
    (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))
"#;

/// `repeat: func(n: u32) -> string` returns this many bytes, `bytes` the same as a
/// list; `broken: func() -> string` returns a pointer outside its memory.
pub const OUTPUT: &str = r#"
(component
  (core module $m
    (memory (export "memory") 512)
    (func $answer (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      i32.const 0)
    (func (export "repeat") (param i32) (result i32)
      (memory.fill (i32.const 16) (i32.const 97) (local.get 0))
      (call $answer (i32.const 16) (local.get 0)))
    (func (export "broken") (result i32)
      (call $answer (i32.const -1) (i32.const 10))))
  (core instance $i (instantiate $m))
  (func (export "repeat") (param "n" u32) (result string)
    (canon lift (core func $i "repeat") (memory (core memory $i "memory"))))
  (func (export "bytes") (param "n" u32) (result (list u8))
    (canon lift (core func $i "repeat") (memory (core memory $i "memory"))))
  (func (export "broken") (result string)
    (canon lift (core func $i "broken") (memory (core memory $i "memory")))))
"#;

/// Imports an interface that the host does not have.
pub const UNKNOWN_IMPORT: &str = r#"
(component
  (import "acme:secret/door@1.0.0" (instance (export "open" (func))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))
"#;

/// `f: func() -> u32` uses a tail call, which Winch does not support.
pub const TAIL_CALL: &str = r#"
(component
  (core module $m
    (func $seven (result i32) i32.const 7)
    (func (export "f") (result i32) return_call $seven))
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))
"#;

/// A table larger than a pooled slot.
pub const LARGE_TABLE: &str = r#"
(component
  (core module $m
    (table 200000 funcref)
    (func (export "f") (result i32) (table.size)))
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))
"#;

/// `get: func(key: string) -> option<string>` from `wasi:config/store`.
pub const CONFIG: &str = concat!(
    "(component",
    wat::config_store!(),
    r#"  (core module $m
    (import "host" "get" (func $get (param i32 i32 i32)))
    (func (export "get") (param i32 i32) (result i32)
      (call $get (local.get 0) (local.get 1) (i32.const 16))
      ;; past the discriminant of the result
      i32.const 20))
  (core instance $i (instantiate $m
    (with "host" (instance (export "get" (func $get))))))
  (func (export "get") (param "key" string) (result (option string))
    (canon lift (core func $i "get") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc")))))
"#
);

/// `exit: func()` calls `wasi:cli/exit`.
pub const EXIT: &str = r#"
(component
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (core func $exit (canon lower (func $exit "exit")))
  (core module $m
    (import "host" "exit" (func $exit (param i32)))
    (func (export "exit") (call $exit (i32.const 1))))
  (core instance $i (instantiate $m
    (with "host" (instance (export "exit" (func $exit))))))
  (func (export "exit") (canon lift (core func $i "exit"))))
"#;

/// [`ADD`], made too large to be optimised at once.
pub fn large_add() -> String {
    let functions: String = (0..8000)
        .map(|n| {
            format!(
                "(func (param i32) (result i32) \
                   (i32.mul (i32.add (local.get 0) (i32.const {n})) (i32.const {})) \
                   (i32.xor (i32.rotl (local.get 0) (i32.const {}))) \
                   (i32.sub (i32.const {})) (i32.or (i32.const {})))\n",
                n * 7919,
                n % 32,
                n * 104_729,
                n * 31_337,
            )
        })
        .collect();
    ADD.replacen(
        "(core module $m",
        &format!("(core module $m {functions}"),
        1,
    )
}

/// Reveals its variables: `env: func() -> list<tuple<string, string>>` returns its environment,
/// `fail: func() -> result<u32, string>` returns the value of its first variable as an error, and
/// `print: func()` prints that value in two pieces.
pub const TELLTALE: &str = concat!(
    r#"(component
    (import "wasi:cli/environment@0.2.0" (instance $environment
        (export "get-environment" (func (result (list (tuple string string)))))))"#,
    wat::streams!(),
    wat::memory!(),
    r#"    (core func $environment (canon lower (func $environment "get-environment")
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core func $get (canon lower (func $stdout "get-stdout")))
    (core func $write
        (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
            (memory (core memory $memory "memory"))))
    (core module $m
        (import "host" "memory" (memory 4))
        (import "host" "environment" (func $environment (param i32)))
        (import "host" "get" (func $get (result i32)))
        (import "host" "write" (func $write (param i32 i32 i32 i32)))
        (func (export "env") (result i32)
            (call $environment (i32.const 16))
            (i32.const 16))
        (func $value (result i32)
            (call $environment (i32.const 16))
            (i32.add (i32.load (i32.const 16)) (i32.const 8)))
        (func (export "fail") (result i32)
            (local $value i32)
            (local.set $value (call $value))
            (i32.store8 (i32.const 32) (i32.const 1))
            (i32.store (i32.const 36) (i32.load (local.get $value)))
            (i32.store (i32.const 40) (i32.load offset=4 (local.get $value)))
            (i32.const 32))
        (func (export "print")
            (local $out i32) (local $value i32) (local $at i32) (local $length i32)
            (local.set $out (call $get))
            (local.set $value (call $value))
            (local.set $at (i32.load (local.get $value)))
            (local.set $length (i32.load offset=4 (local.get $value)))
            (call $write (local.get $out) (local.get $at) (i32.const 3) (i32.const 64))
            (call $write (local.get $out) (i32.add (local.get $at) (i32.const 3))
                (i32.sub (local.get $length) (i32.const 3)) (i32.const 64))))
    (core instance $i (instantiate $m (with "host" (instance
        (export "memory" (memory $memory "memory"))
        (export "environment" (func $environment))
        (export "get" (func $get))
        (export "write" (func $write))))))
    (func (export "env") (result (list (tuple string string)))
        (canon lift (core func $i "env") (memory (core memory $memory "memory"))))
    (func (export "fail") (result (result u32 (error string)))
        (canon lift (core func $i "fail") (memory (core memory $memory "memory"))))
    (func (export "print") (canon lift (core func $i "print"))))"#
);
