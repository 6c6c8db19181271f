;; world: hookgate:plugin/transform-plugin
;; A header field with a name that would start another request.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-header"
    (func $set (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "a: b\0d\0a\0d\0aGET /")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (call $set (call $new) (i32.const 64) (i32.const 13) (i32.const 64) (i32.const 1))
    (i32.const 0)))
