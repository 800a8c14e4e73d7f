//! Components whose values take much more memory in the server than in the guest.

/// The named types of a component as text, and their count.
#[derive(Default)]
pub struct Named(String, usize);

impl Named {
    /// Adds an alias for a type.
    pub fn alias(&mut self, ty: &str) -> String {
        let Named(text, count) = self;
        *count += 1;
        *text += &format!("(type $t{count} {ty})\n");
        format!("$t{count}")
    }

    /// Declares a named record, variant, enum or `flags`.
    pub fn named(&mut self, ty: &str) -> String {
        let Named(text, count) = self;
        *count += 1;
        let name = format!("t{count}");
        *text +=
            &format!("(type ${name}' {ty}) (import \"{name}\" (type ${name} (eq ${name}')))\n");
        format!("${name}")
    }
}

/// `many: func(x: list<T>, n: u32) -> list<list<T>>` returns the same list `n` times,
/// for 8 bytes each in the guest; `length: func(x: list<T>) -> u32` returns its
/// length.
pub fn many(named: &Named, ty: &str) -> String {
    let Named(types, _) = named;
    format!(
        r#"(component
          {types}
          (type $list (list {ty}))
          (type $lists (list $list))
          (core module $m
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 1024))
            (func $take (export "realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
              (global.set $next (i32.add (local.get $at) (local.get 3)))
              (block $room
                (br_if $room (i32.le_u (global.get $next)
                  (i32.mul (memory.size) (i32.const 65536))))
                (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 2)))))
              (local.get $at))
            (func (export "length") (param i32 i32) (result i32) (local.get 1))
            (func (export "many") (param $x i32) (param $len i32) (param $n i32) (result i32)
              (local $at i32) (local $i i32)
              (local.set $at (call $take (i32.const 0) (i32.const 0) (i32.const 4)
                (i32.mul (local.get $n) (i32.const 8))))
              (block $done (loop $again
                (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
                (i32.store (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 8)))
                  (local.get $x))
                (i32.store offset=4 (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 8)))
                  (local.get $len))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $again)))
              (i32.store (i32.const 16) (local.get $at))
              (i32.store (i32.const 20) (local.get $n))
              (i32.const 16)))
          (core instance $i (instantiate $m))
          (func (export "length") (param "x" $list) (result u32)
            (canon lift (core func $i "length") (memory (core memory $i "memory"))
              (realloc (core func $i "realloc"))))
          (func (export "many") (param "x" $list) (param "n" u32) (result $lists)
            (canon lift (core func $i "many") (memory (core memory $i "memory"))
              (realloc (core func $i "realloc")))))"#
    )
}

/// Returns a `flags` type with short names.
pub fn flags(count: usize) -> String {
    let names: String = (0..count).map(|n| format!(" \"a{n}\"")).collect();
    format!("(flags{names})")
}

/// Returns a record of optional numbers.
pub fn options(count: usize) -> String {
    let fields: String = (0..count)
        .map(|n| format!(" (field \"a{n}\" (option u8))"))
        .collect();
    format!("(record{fields})")
}

/// `spin: func()` never ends, in a component with this many empty tables, a multiple
/// of 60.
pub fn many_tables(tables: usize) -> String {
    let instances = "(core instance (instantiate $t))".repeat(tables / 60);
    let tables = "(table 0 funcref)".repeat(60);
    format!(
        r#"(component
          (core module $t {tables})
          {instances}
          (core module $m (func (export "spin") (loop $again br $again)))
          (core instance $i (instantiate $m))
          (func (export "spin") (canon lift (core func $i "spin"))))"#
    )
}

/// `wait: func()` waits for ever, in a component with this many core instances.
pub fn waiting(instances: usize) -> String {
    let instances = "(core instance (instantiate $e))".repeat(instances);
    format!(
        r#"(component
          (import "wasi:io/poll@0.2.0" (instance $poll
            (export "pollable" (type $p (sub resource)))
            (export "[method]pollable.block" (func (param "self" (borrow $p))))))
          (alias export $poll "pollable" (type $pollable))
          (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer 1 $pollable (type $outer))
            (export "pollable" (type $p (eq $outer)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
          (core func $block (canon lower (func $poll "[method]pollable.block")))
          (core func $subscribe (canon lower (func $clock "subscribe-duration")))
          (core module $e)
          {instances}
          (core module $m
            (import "host" "block" (func $block (param i32)))
            (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
            (memory 1)
            (func (export "wait") (call $block (call $subscribe (i64.const 1000000000000000)))))
          (core instance $i (instantiate $m (with "host" (instance
            (export "block" (func $block)) (export "subscribe" (func $subscribe))))))
          (func (export "wait") (canon lift (core func $i "wait"))))"#
    )
}
