;; world: test:guests/verify-and-kv
;; Imports `kv`.
(module
  (import "hookgate:plugin/kv@0.1.0" "delete" (func (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
