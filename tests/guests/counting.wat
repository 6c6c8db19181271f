;; world: test:guests/filter-and-lifecycle
;; Counts one `cards` of kind `push`, observes 2.5 `size`s, and counts something that it never described.
(module
  (import "hookgate:plugin/metrics@0.1.0" "count" (func $count (param i32 i32 i32 i32 i32)))
  (import "hookgate:plugin/metrics@0.1.0" "observe" (func $observe (param i32 i32 f64 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "\00\01\00\00\83\00\00\00")
  (data (i32.const 64) "cards")
  (data (i32.const 72) "size")
  (data (i32.const 80) "kind")
  (data (i32.const 88) "push")
  ;; One label: where its name and its value are, and how long.
  (data (i32.const 96) "\50\00\00\00\04\00\00\00\58\00\00\00\04\00\00\00")
  (data (i32.const 256) "{\22metrics\22:[{\22name\22:\22cards\22,\22kind\22:\22counter\22,\22labels\22:[\22kind\22]},{\22name\22:\22size\22,\22kind\22:\22histogram\22,\22buckets\22:[1,2.5],\22labels\22:[]}]} ")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "hookgate:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 32))
  (func (export "hookgate:plugin/lifecycle@0.1.0#check") (param i32 i32) (result i32) (i32.const 0))
  (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32)
    (call $count (i32.const 64) (i32.const 5) (i32.const 1) (i32.const 96) (i32.const 1))
    (call $observe (i32.const 72) (i32.const 4) (f64.const 2.5) (i32.const 0) (i32.const 0))
    (call $count (i32.const 72) (i32.const 4) (i32.const 1) (i32.const 0) (i32.const 0))
    (i32.const 0)))
