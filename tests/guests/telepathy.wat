;; world: test:guests/verify-and-telepathy
;; Imports what no host has.
(module
  (import "test:guests/telepathy" "ask" (func))
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
