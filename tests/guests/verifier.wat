;; world: test:guests/verify-and-golden
;; Verifies an HMAC over the body in `x-sig`, as it should be done, and ships the example of GitHub's
;; documentation as its golden webhook. Tests put a mistake into one of the marked lines.
(module
  (import "hookgate:plugin/webhook@0.1.0" "header" (func $header (param i32 i32 i32)))
  (import "hookgate:plugin/crypto@0.1.0" "verify"
    (func $verify (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 16384))
  (global $accept i32 (i32.const 0))
  (global $reject i32 (i32.const 160))
  (data (i32.const 64) "x-sig")
  (data (i32.const 72) "main")
  (data (i32.const 80) "hmac-sha256")
  (data (i32.const 112) "\02") ;; the body
  (data (i32.const 160) "\00\00\00\00\01\00\00\00\91\01\00\00\c0\00\00\00\06\00\00\00")
  (data (i32.const 192) "forged")
  (data (i32.const 200) "\00\08\00\00\58\01\00\00")
  (data (i32.const 2048) "{\22webhooks\22:[{\22name\22:\22hello\22,\22headers\22:[[\22x-sig\22,\22757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\22]],\22body\22:\22Hello, World!\22,\22received_at_ms\22:1700000000000,\22keys\22:{\22main\22:[\22It's a Secret to Everybody\22]},\22signature\22:{\22header\22:\22x-sig\22,\22text\22:\22757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\22},\22covers\22:[\22body\22]}]}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "hookgate:plugin/golden@0.1.0#webhooks") (param i32 i32) (result i32)
    (i32.const 200))
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $header (i32.const 64) (i32.const 5) (i32.const 96))
    (if (i32.eqz (i32.load8_u (i32.const 96))) (then
      (return (global.get $reject)))) ;; no header
    (call $verify (i32.const 72) (i32.const 4) (i32.const 80) (i32.const 11)
      (i32.const 112) (i32.const 1) ;; the message
      (i32.load (i32.const 100)) (i32.load (i32.const 104)) (i32.const 0) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then
      (return (global.get $reject)))) ;; an error
    (if (i32.eqz (i32.load8_u (i32.const 129))) (then
      (return (global.get $reject)))) ;; a no
    (global.get $accept)))
