;; world: test:guests/verify-and-signing
;; Imports `signing`, and rejects with the first digit of the outcome: `0` a MAC, `1` an error.
(module
  (import "hookgate:plugin/signing@0.1.0" "sign"
    (func $sign (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\01\00\00\00\91\01\00\00\80\00\00\00\01\00\00\00")
  (data (i32.const 64) "main")
  (data (i32.const 72) "hmac-sha256")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $sign (i32.const 64) (i32.const 4) (i32.const 72) (i32.const 11)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 128))
    (i32.store8 (i32.const 128) (i32.add (i32.load8_u (i32.const 128)) (i32.const 48)))
    (i32.const 0)))
