;; world: hookgate:plugin/verify-plugin
;; Answers with a header field whose value would start another one.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\02\00\00\00\c8\00\00\00\40\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00")
  (data (i32.const 64) "\80\00\00\00\06\00\00\00\88\00\00\00\07\00\00\00")
  (data (i32.const 128) "x-test")
  (data (i32.const 136) "a\0d\0ab: c")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
