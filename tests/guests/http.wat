;; world: test:guests/verify-and-http
;; Wants to call out.
(module
  (import "wasi:http/outgoing-handler@0.2.0" "handle" (func))
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
