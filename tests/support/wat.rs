//! Common beginnings of the tests' components, as text for `concat!`.

use std::fmt::Display;

/// Returns a component with one tool, `name`, that returns `version`.
pub fn versioned(name: &str, version: impl Display) -> String {
    format!(
        r#"(component
            (core module $m (func (export "version") (result i32) (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "{name}") (result u32) (canon lift (core func $i "version"))))"#
    )
}

/// A changed version of [`versioned`] with the name `version`: it has one more tool, another
/// result, and imports the environment.
pub const WIDER: &str = r#"(component
    (import "wasi:cli/environment@0.2.0" (instance
      (export "initial-cwd" (func (result (option string))))))
    (core module $m
      (func (export "version") (result i32) (i32.const 9))
      (func (export "other") (result i32) (i32.const 1)))
    (core instance $i (instantiate $m))
    (func (export "version") (result s32) (canon lift (core func $i "version")))
    (func (export "other") (result u32) (canon lift (core func $i "other"))))"#;

/// A core instance `$memory` with `memory`, whose first 4,096 bytes are free to use, and
/// `realloc`, which allocates from the rest.
macro_rules! memory {
    () => {
        r#"
  (core module $memory
    (memory (export "memory") 16)
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
"#
    };
}

/// Imports `$streams`, whose output streams are `$output`, and `$stdout`.
macro_rules! streams {
    () => {
        r#"
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $outer))
    (export "error" (type $e (eq $outer)))
    (export "output-stream" (type $os (sub resource)))
    (type $failure (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $failure)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $os)) (param "contents" (list u8))
        (result (result (error $se)))))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $os (eq $outer)))
    (export "get-stdout" (func (result (own $os))))))
"#
    };
}

/// [`memory`], and a core function `$get` that requests a key from `wasi:config/store`.
macro_rules! config_store {
    () => {
        concat!(
            r#"
  (import "wasi:config/store@0.2.0-draft" (instance $store
    (type $error' (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $error')))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))
"#,
            $crate::support::wat::memory!(),
            r#"
  (core func $get (canon lower (func $store "get")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
"#
        )
    };
}

pub(crate) use {config_store, memory, streams};
