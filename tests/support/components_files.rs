//! A component that opens files, as WebAssembly text.

use super::wat;

/// `read: func(path: string) -> result` opens a file below the first preopened directory, and
/// `write` opens one to create or change it.
pub const OPENS: &str = concat!(
    r#"
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $lookup' (flags "symlink-follow"))
    (export "path-flags" (type $lookup (eq $lookup')))
    (type $open' (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open (eq $open')))
    (type $use' (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $use (eq $use')))
    (type $code' (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock"
      "quota" "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted"
      "invalid" "io" "is-directory" "loop" "too-many-links" "message-size" "name-too-long"
      "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space"
      "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy"
      "cross-device"))
    (export "error-code" (type $code (eq $code')))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $lookup) (param "path" string)
      (param "open-flags" $open) (param "flags" $use)
      (result (result (own $descriptor) (error $code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $d (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))))"#,
    wat::memory!(),
    r#"  (core func $open (canon lower (func $types "[method]descriptor.open-at")
    (memory (core memory $memory "memory"))))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $m
    (import "host" "memory" (memory 16))
    (import "host" "directories" (func $directories (param i32)))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (func $try (param $path i32) (param $length i32) (param $how i32) (param $use i32)
      (result i32)
      (call $directories (i32.const 16))
      (call $open (i32.load (i32.load (i32.const 16))) (i32.const 1)
        (local.get $path) (local.get $length) (local.get $how) (local.get $use)
        (i32.const 32))
      (i32.load8_u (i32.const 32)))
    (func (export "read") (param i32 i32) (result i32)
      (call $try (local.get 0) (local.get 1) (i32.const 0) (i32.const 1)))
    (func (export "write") (param i32 i32) (result i32)
      (call $try (local.get 0) (local.get 1) (i32.const 1) (i32.const 2))))
  (core instance $i (instantiate $m (with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "directories" (func $directories))
    (export "open" (func $open))))))
  (func (export "read") (param "path" string) (result (result))
    (canon lift (core func $i "read") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
  (func (export "write") (param "path" string) (result (result))
    (canon lift (core func $i "write") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc")))))
"#
);
