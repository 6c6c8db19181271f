;; world: hookgate:plugin/verify-plugin
;; Takes memory until there is none, then aborts as an allocator does.
(module
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (unreachable)))
