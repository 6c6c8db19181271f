;; world: hookgate:plugin/verify-plugin
;; What a panic of a Rust guest is.
(module
  (memory (export "memory") 1)
  (func $parse_header (unreachable))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $parse_header) (i32.const 0)))
