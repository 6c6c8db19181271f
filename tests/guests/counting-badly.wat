;; world: test:guests/filter-and-lifecycle
;; Describes a metric whose name is none, and imports what counts it.
(module
  (import "hookgate:plugin/metrics@0.1.0" "count" (func (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "\00\01\00\00\35\00\00\00")
  (data (i32.const 256) "{\22metrics\22:[{\22name\22:\22cards made\22,\22kind\22:\22counter\22}]}   ")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "hookgate:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 32))
  (func (export "hookgate:plugin/lifecycle@0.1.0#check") (param i32 i32) (result i32) (i32.const 0))
  (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32) (i32.const 0)))
