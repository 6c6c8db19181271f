;; world: test:guests/verify-and-wasi
;; Panics when there is any environment variable or argument.
(module
  (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
  (import "wasi:cli/environment@0.2.0" "get-arguments" (func $arguments (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $environment (i32.const 64))
    (call $arguments (i32.const 72))
    (if (i32.or (i32.load (i32.const 68)) (i32.load (i32.const 76))) (then (unreachable)))
    (i32.const 0)))
