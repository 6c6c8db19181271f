;; world: hookgate:plugin/verify-plugin
;; Cannot even be started.
(module
  (memory (export "memory") 1)
  (func $start (unreachable))
  (start $start)
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))
