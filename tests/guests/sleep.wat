;; world: test:guests/verify-and-wasi
;; Waits for an hour, without computing.
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
    (func $in (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $block (call $in (i64.const 3600000000000)))
    (i32.const 0)))
