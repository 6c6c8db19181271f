;; world: hookgate:plugin/transform-plugin
;; Asks the host to sign with the key `main`; makes one delivery when it will, and none when it will not.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-signature"
    (func $sign (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\10\00\00\00\00\00\00\00")
  (data (i32.const 64) "main")
  (data (i32.const 72) "standard-webhooks")
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (i32.store (i32.const 16) (call $new))
    (i32.store (i32.const 8)
      (call $sign (i32.load (i32.const 16)) (i32.const 72) (i32.const 17) (i32.const 64) (i32.const 4)
        (i32.const 0) (i32.const 0) (i32.const 0)))
    (i32.const 0)))
