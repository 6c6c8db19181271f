;; world: hookgate:plugin/transform-plugin
;; Wants to leave the base path of the upstream, in an encoding that it resolves.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-path"
    (func $path (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "/%2e%2e%2fadmin")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (call $path (call $new) (i32.const 64) (i32.const 15))
    (i32.const 0)))
