;; world: hookgate:plugin/transform-plugin
;; Makes deliveries without an end.
(module
  (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
    (loop (drop (call $new)) (br 0))
    (unreachable)))
