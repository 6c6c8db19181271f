;; world: test:guests/stages
;; All three stages in one instance: each counts in memory, and the last returns as many deliveries as
;; stages have run before it.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 4) "\10\00\00\00")
  (global $runs (mut i32) (i32.const 0))
  (func $run (global.set $runs (i32.add (global.get $runs) (i32.const 1))))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (call $run) (i32.const 128))
  (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32) (call $run) (i32.const 128))
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (i32.store (i32.const 16) (call $new))
    (i32.store (i32.const 20) (call $new))
    (i32.store (i32.const 8) (global.get $runs))
    (i32.const 0)))
