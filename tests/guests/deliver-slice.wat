;; world: hookgate:plugin/transform-plugin
;; A slice behind the end of the body.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-body-slice"
    (func $slice (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (call $slice (call $new) (i32.const 2) (i32.const -1))
    (i32.const 0)))
