;; world: hookgate:plugin/transform-plugin
;; Returns an empty list.
(module
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32) (i32.const 0)))
