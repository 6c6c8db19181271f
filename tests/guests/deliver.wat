;; world: hookgate:plugin/transform-plugin
;; Makes three deliveries and returns two: the first with a header field for upstream `ci`, the other
;; with two bytes of the body.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-header"
    (func $set (param i32 i32 i32 i32 i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-upstream"
    (func $to (param i32 i32 i32) (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-body-slice"
    (func $slice (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\02\00\00\00")
  (data (i32.const 64) "x-kind")
  (data (i32.const 72) "ci")
  (data (i32.const 80) "nowhere")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (drop (call $new))
    (i32.store (i32.const 16) (call $new))
    (i32.store (i32.const 20) (call $new))
    (call $set (i32.load (i32.const 16)) (i32.const 64) (i32.const 6) (i32.const 72) (i32.const 2))
    (if (i32.eqz (call $to (i32.load (i32.const 16)) (i32.const 72) (i32.const 2))) (then (unreachable)))
    (if (call $to (i32.load (i32.const 20)) (i32.const 80) (i32.const 7)) (then (unreachable)))
    (call $slice (i32.load (i32.const 20)) (i32.const 1) (i32.const 2))
    (i32.const 0)))
