;; world: test:guests/verify-and-lifecycle
;; Says nothing about itself and checks a configuration for ever.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0))
  (func (export "hookgate:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 0))
  (func (export "hookgate:plugin/lifecycle@0.1.0#check") (param i32 i32) (result i32)
    (loop (br 0)) (unreachable)))
