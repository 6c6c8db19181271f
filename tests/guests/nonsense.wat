;; world: hookgate:plugin/verify-plugin
;; A verdict that the contract does not have.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\09")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
