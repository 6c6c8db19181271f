;; world: hookgate:plugin/verify-plugin
;; Reads behind the end of its memory.
(module
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (i32.load (i32.const -8))))
