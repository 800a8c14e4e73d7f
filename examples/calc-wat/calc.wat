;; A component in the text format, complete in one file: nothing to build.
;; `wassette load` reads it as it is.

(component
  ;; The code: a core module that knows only numbers and memory.
  (core module $code
    (memory (export "memory") 1)

    ;; The messages of errors, each with its address and length below.
    (data (i32.const 16) "division by zero")
    (data (i32.const 32) "the result does not fit into 64 bits")

    ;; Where a result that is more than one number is written.
    ;; A `result<s64, string>` takes 16 bytes: 0 or 1 for ok or error, then at
    ;; offset 8 the number, or the address and the length of the message.
    (global $answer i32 (i32.const 0))

    (func $ok (param $value i64) (result i32)
      (i32.store (global.get $answer) (i32.const 0))
      (i64.store offset=8 (global.get $answer) (local.get $value))
      (global.get $answer))

    (func $error (param $address i32) (param $length i32) (result i32)
      (i32.store (global.get $answer) (i32.const 1))
      (i32.store offset=8 (global.get $answer) (local.get $address))
      (i32.store offset=12 (global.get $answer) (local.get $length))
      (global.get $answer))

    (func $divide-by-zero (result i32)
      (call $error (i32.const 16) (i32.const 16)))

    (func $too-large (result i32)
      (call $error (i32.const 32) (i32.const 36)))

    (func (export "add") (param $a i64) (param $b i64) (result i32)
      (local $sum i64)
      (local.set $sum (i64.add (local.get $a) (local.get $b)))
      ;; It overflowed if both have one sign and the sum has the other.
      (if (result i32)
        (i64.lt_s
          (i64.and
            (i64.xor (local.get $a) (local.get $sum))
            (i64.xor (local.get $b) (local.get $sum)))
          (i64.const 0))
        (then (call $too-large))
        (else (call $ok (local.get $sum)))))

    (func (export "divide") (param $a i64) (param $b i64) (result i32)
      (if (i64.eqz (local.get $b)) (then (return (call $divide-by-zero))))
      ;; The one quotient that does not fit: the smallest number by -1.
      (if (i32.and
            (i64.eq (local.get $a) (i64.const -9223372036854775808))
            (i64.eq (local.get $b) (i64.const -1)))
        (then (return (call $too-large))))
      (call $ok (i64.div_s (local.get $a) (local.get $b))))

    (func (export "greatest-common-divisor") (param $a i64) (param $b i64) (result i64)
      (local $rest i64)
      (loop $again
        (if (i64.eqz (local.get $b)) (then (return (local.get $a))))
        (local.set $rest (i64.rem_u (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $rest))
        (br $again))
      unreachable)

    (func (export "square-root") (param $x f64) (result f64)
      (f64.sqrt (local.get $x))))

  (core instance $code (instantiate $code))
  (alias core export $code "memory" (core memory $memory))

  ;; The types of the component model, lifted over the code.
  (type $fallible (func (param "a" s64) (param "b" s64) (result (result s64 (error string)))))
  (func $add (type $fallible)
    (canon lift (core func $code "add") (memory $memory)))
  (func $divide (type $fallible)
    (canon lift (core func $code "divide") (memory $memory)))
  (func $gcd (param "a" u64) (param "b" u64) (result u64)
    (canon lift (core func $code "greatest-common-divisor")))
  (func $square-root (param "x" float64) (result float64)
    (canon lift (core func $code "square-root")))

  ;; What is exported: an interface, and one function of its own.
  (instance $arithmetic
    (export "add" (func $add))
    (export "divide" (func $divide))
    (export "greatest-common-divisor" (func $gcd)))
  (export "examples:calc/arithmetic" (instance $arithmetic))
  (export "square-root" (func $square-root))

  ;; Doc comments, as `package-docs`: a version byte and JSON.
  (@custom "package-docs"
    "\01{\"interfaces\":{\"arithmetic\":{\"funcs\":{"
    "\"add\":{\"docs\":\"Adds two whole numbers.\"},"
    "\"divide\":{\"docs\":\"Divides a by b, rounded towards zero.\"},"
    "\"greatest-common-divisor\":{\"docs\":\"The largest whole number that divides both.\"}}}},"
    "\"worlds\":{\"calc\":{\"func_exports\":{"
    "\"square-root\":{\"docs\":\"The square root; NaN for negative numbers.\"}}}}}"))
