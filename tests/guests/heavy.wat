;; world: hookgate:plugin/verify-plugin
;; Begins with 17 MiB of memory.
(module
  (memory (export "memory") 272)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
