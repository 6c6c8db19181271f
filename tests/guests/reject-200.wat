;; world: hookgate:plugin/verify-plugin
;; A rejection that would tell the sender that all is well: status 200.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\01\00\00\00\c8\00\00\00\40\00\00\00\03\00\00\00")
  (data (i32.const 64) "odd")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
