;; world: hookgate:plugin/verify-plugin
;; Answers with status 101, which would turn the connection into something else.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\02\00\00\00\65")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
