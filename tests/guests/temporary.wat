;; world: hookgate:plugin/verify-plugin
;; Asks for a later attempt.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\01\00\00\00\00\00\00\00\40\00\00\00\0b\00\00\00")
  (data (i32.const 64) "no\0akeys \22x\22")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
