;; world: hookgate:plugin/verify-plugin
;; Rejects with 401.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\01\00\00\00\91\01\00\00\40\00\00\00\06\00\00\00")
  (data (i32.const 64) "forged")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
