;; world: test:guests/verify-and-wasi
;; Writes to standard error, with a terminal's escape in it, and panics.
(module
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "panicked at \22a.rs\22\0a\1b[2J")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $write (call $stderr) (i32.const 64) (i32.const 23) (i32.const 0))
    (unreachable)))
