;; world: test:guests/verify-and-wasi
;; Ends itself, and would end its process.
(module
  (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $exit (i32.const 1)) (i32.const 0)))
