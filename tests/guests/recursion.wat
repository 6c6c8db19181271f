;; world: hookgate:plugin/verify-plugin
;; Calls itself for ever.
(module
  (memory (export "memory") 1)
  (func $down (param i32) (result i32)
    (i32.add (i32.const 1) (call $down (i32.add (local.get 0) (i32.const 1)))))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $down (i32.const 0))))
