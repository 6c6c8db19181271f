;; world: hookgate:plugin/transform-plugin
;; Returns a delivery and keeps another; traps when it is asked twice.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 4) "\40\00\00\00\01\00\00\00")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (if (i32.load (i32.const 68)) (then (unreachable)))
    (i32.store (i32.const 64) (call $new))
    (i32.store (i32.const 68) (call $new))
    (i32.const 0)))
