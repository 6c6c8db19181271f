;; world: hookgate:plugin/transform-plugin
;; Wants to name the sender, in the spelling that CGI folds into the real one.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-header"
    (func $set (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "x_forwarded_for")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (call $set (call $new) (i32.const 64) (i32.const 15) (i32.const 64) (i32.const 15))
    (i32.const 0)))
