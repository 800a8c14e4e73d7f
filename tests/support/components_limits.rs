//! Components that exhaust the limits, as WebAssembly text.

use super::wat;

/// `table: func()` grows a table until it is refused, `stack: func()` calls itself for ever,
/// `handles: func()` creates resources of its own, and `hold: func(pages: u32)` takes memory and
/// never ends.
pub const HOG: &str = r#"
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $m
    (import "own" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 1)
    (table $t 1 funcref)
    (func (export "table")
      (loop $again
        (br_if $again
          (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
      unreachable)
    (func $deeper (export "stack") (call $deeper) (call $deeper))
    (func (export "handles") (loop $again (drop (call $new (i32.const 1))) br $again))
    (func (export "hold") (param i32)
      (if (i32.eq (memory.grow (local.get 0)) (i32.const -1)) (then unreachable))
      (loop $again br $again)))
  (core instance $i (instantiate $m (with "own" (instance (export "new" (func $new))))))
  (func (export "table") (canon lift (core func $i "table")))
  (func (export "stack") (canon lift (core func $i "stack")))
  (func (export "handles") (canon lift (core func $i "handles")))
  (func (export "hold") (param "pages" u32) (canon lift (core func $i "hold"))))
"#;

/// `ask-clock: func()` reads the clock for ever, `timers: func()` creates timers and keeps them.
pub const CLOCKS: &str = r#"
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $p (eq $outer)))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core func $now (canon lower (func $clock "now")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core module $m
    (import "host" "now" (func $now (result i64)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (func (export "ask-clock") (loop $again (drop (call $now)) br $again))
    (func (export "timers")
      (loop $again (drop (call $subscribe (i64.const 1000000000))) br $again)))
  (core instance $i (instantiate $m (with "host" (instance
    (export "now" (func $now)) (export "subscribe" (func $subscribe))))))
  (func (export "ask-clock") (canon lift (core func $i "ask-clock")))
  (func (export "timers") (canon lift (core func $i "timers"))))
"#;

/// `out: func()` prints for ever, `err: func()` on standard error, and `both: func(pages: u32)`
/// prints this many pieces of 4,096 bytes on each.
pub const FLOOD: &str = concat!(
    "(component",
    wat::streams!(),
    r#"  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $os (eq $outer)))
    (export "get-stderr" (func (result (own $os))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core func $write
    (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
      (memory (core memory $memory "memory"))))
  (core module $m
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "stderr" (func $stderr (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (func $piece (param i32)
      (call $write (local.get 0) (i32.const 64) (i32.const 4096) (i32.const 0)))
    (func $flood (param i32) (loop $again (call $piece (local.get 0)) br $again))
    (func (export "out") (call $flood (call $stdout)))
    (func (export "err") (call $flood (call $stderr)))
    (func (export "both") (param i32)
      (local $out i32) (local $err i32)
      (local.set $out (call $stdout))
      (local.set $err (call $stderr))
      (loop $again
        (call $piece (local.get $out))
        (call $piece (local.get $err))
        (br_if $again
          (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
  (core instance $i (instantiate $m (with "host" (instance
    (export "stdout" (func $stdout))
    (export "stderr" (func $stderr))
    (export "write" (func $write))))))
  (func (export "out") (canon lift (core func $i "out")))
  (func (export "err") (canon lift (core func $i "err")))
  (func (export "both") (param "pieces" u32) (canon lift (core func $i "both"))))
"#
);

/// `f: func()` in a component with this many memories.
pub fn many_memories(memories: usize) -> String {
    let instances = "(core instance (instantiate $m))".repeat(memories);
    format!(
        r#"(component
          (core module $m (memory 0) (func (export "f")))
          {instances}
          (core instance $i (instantiate $m))
          (func (export "f") (canon lift (core func $i "f"))))"#
    )
}

/// `deep: func(lists: …) -> u32` takes lists nested this deep, and returns the length
/// of the outermost.
pub fn deep_lists(depth: usize) -> String {
    let types: String = (1..depth)
        .map(|n| format!("(type $t{n} (list $t{}))", n - 1))
        .collect();
    let outermost = depth - 1;
    format!(
        r#"(component
          (type $t0 (list u8))
          {types}
          (core module $m
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              global.get $next
              (global.set $next (i32.add (global.get $next) (local.get 3))))
            (func (export "deep") (param i32 i32) (result i32) (local.get 1)))
          (core instance $i (instantiate $m))
          (func (export "deep") (param "lists" $t{outermost}) (result u32)
            (canon lift (core func $i "deep") (memory (core memory $i "memory"))
              (realloc (core func $i "realloc")))))"#
    )
}
