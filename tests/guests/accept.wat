;; world: hookgate:plugin/verify-plugin
;; Accepts everything: a result of zeros is `ok(accept)`.
(module
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
