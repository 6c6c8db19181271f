;; world: hookgate:plugin/transform-plugin
;; Returns a delivery whose body is the first two bytes of the webhook's.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-body-slice"
    (func $slice (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 4) "\40\00\00\00\01\00\00\00")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (i32.store (i32.const 64) (call $new))
    (call $slice (i32.load (i32.const 64)) (i32.const 0) (i32.const 2))
    (i32.const 0)))
