;; world: hookgate:plugin/verify-plugin
;; Makes the host hash the body until it will not.
(module
  (import "hookgate:plugin/crypto@0.1.0" "digest"
    (func $digest (param i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "sha256")
  (data (i32.const 80) "\02")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (loop
      (call $digest (i32.const 64) (i32.const 6) (i32.const 80) (i32.const 1) (i32.const 0) (i32.const 128))
      (br 0))
    (unreachable)))
