;; world: hookgate:plugin/transform-plugin
;; Returns a handle that it was never given.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\01\00\00\00")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (drop (call $new))
    (i32.store (i32.const 16) (i32.const 77))
    (i32.const 0)))
