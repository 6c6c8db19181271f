;; world: hookgate:plugin/filter-plugin
;; Names the event, then cannot go on.
(module
  (import "hookgate:plugin/webhook@0.1.0" "set-note" (func $note (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\01\00\00\00\01\00\00\00\40\00\00\00\05\00\00\00")
  (data (i32.const 64) "eventhalf")
  (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32)
    (call $note (i32.const 64) (i32.const 5) (i32.const 69) (i32.const 4))
    (i32.const 0)))
