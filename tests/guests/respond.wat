;; world: hookgate:plugin/verify-plugin
;; Answers 200 `pong`, with a field of its own and one that is not its to set.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\02\00\00\00\c8\00\00\00\40\00\00\00\02\00\00\00\a0\00\00\00\04\00\00\00")
  (data (i32.const 64) "\80\00\00\00\06\00\00\00\86\00\00\00\01\00\00\00\88\00\00\00\0a\00\00\00\86\00\00\00\01\00\00\00")
  (data (i32.const 128) "x-test1")
  (data (i32.const 136) "connection")
  (data (i32.const 160) "pong")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
