;; world: hookgate:plugin/filter-plugin
;; Wants nothing.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\01\00\00\00\40\00\00\00\06\00\00\00")
  (data (i32.const 64) "boring")
  (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32) (i32.const 0)))
