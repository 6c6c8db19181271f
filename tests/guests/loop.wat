;; world: hookgate:plugin/verify-plugin
;; Never comes to an end.
(module
  (memory (export "memory") 1)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (loop (br 0)) (unreachable)))
