;; world: hookgate:plugin/filter-plugin
;; Counts its webhooks in its memory and drops each with the number as its reason; a body of `!` traps,
;; `?` fails, `@` never ends, and `+` asks for more memory than there is, in vain.
(module
  (import "hookgate:plugin/webhook@0.1.0" "body" (func $body (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 4) "\01\00\00\00\40\00\00\00\01\00\00\00")
  (data (i32.const 64) "0")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32)
    (local $do i32)
    (i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1)))
    (call $body (i32.const 96))
    (local.set $do (i32.load8_u (i32.load (i32.const 96))))
    (if (i32.eq (local.get $do) (i32.const 33)) (then (unreachable)))
    (if (i32.eq (local.get $do) (i32.const 64)) (then (loop (br 0))))
    (if (i32.eq (local.get $do) (i32.const 43)) (then (drop (memory.grow (i32.const 4096)))))
    (if (i32.eq (local.get $do) (i32.const 63)) (then
      (i32.store (i32.const 0) (i32.const 1))
      (i32.store (i32.const 4) (i32.const 0))))
    (i32.const 0)))
