;; world: test:guests/filter-and-kv
;; Does with `key` what the first byte of the body says, then ends as the second one says.
;; First: `c` claims it and drops with "taken" when it cannot; `s` sets it to the body; `d` deletes it;
;; `g` drops with its value when there is one; `i` adds to a counter and drops with its digit; `x` sets a
;; key that is too long, `l` a value that is too large, `q` more keys than may be, and each drops with
;; the digit of the error.
;; Second: `!` traps, `-` rejects, `?` fails, anything else goes on with the first one's verdict.
(module
  (import "hookgate:plugin/webhook@0.1.0" "body" (func $body (param i32)))
  (import "hookgate:plugin/kv@0.1.0" "get" (func $get (param i32 i32 i32)))
  (import "hookgate:plugin/kv@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "hookgate:plugin/kv@0.1.0" "claim" (func $claim (param i32 i32 i32 i32)))
  (import "hookgate:plugin/kv@0.1.0" "increment" (func $increment (param i32 i32 i32 i32 i32)))
  (import "hookgate:plugin/kv@0.1.0" "delete" (func $delete (param i32 i32 i32)))
  (memory (export "memory") 3)
  (global $next (mut i32) (i32.const 4096))
  (data (i32.const 64) "key")
  (data (i32.const 68) "taken")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func $drop (param $text i32) (param $length i32)
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store (i32.const 8) (local.get $text))
    (i32.store (i32.const 12) (local.get $length)))
  (func $digit (param $n i32)
    (i32.store8 (i32.const 80) (i32.add (i32.const 48) (local.get $n)))
    (call $drop (i32.const 80) (i32.const 1)))
  (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32)
    (local $text i32) (local $length i32) (local $do i32) (local $end i32) (local $n i32)
    (call $body (i32.const 96))
    (local.set $text (i32.load (i32.const 96)))
    (local.set $length (i32.load (i32.const 100)))
    (local.set $do (i32.load8_u (local.get $text)))
    (local.set $end (i32.load8_u offset=1 (local.get $text)))
    (if (i32.eq (local.get $do) (i32.const 99)) (then ;; c
      (call $claim (i32.const 64) (i32.const 3) (i32.const 60) (i32.const 128))
      (if (i32.load8_u (i32.const 128)) (then (unreachable)))
      (if (i32.eqz (i32.load8_u (i32.const 129))) (then (call $drop (i32.const 68) (i32.const 5))))))
    (if (i32.eq (local.get $do) (i32.const 115)) (then ;; s
      (call $set (i32.const 64) (i32.const 3) (local.get $text) (local.get $length) (i32.const 60) (i32.const 128))
      (if (i32.load8_u (i32.const 128)) (then (unreachable)))
      ;; It sees what it wrote.
      (call $get (i32.const 64) (i32.const 3) (i32.const 128))
      (if (i32.eqz (i32.load8_u (i32.const 132))) (then (unreachable)))
      (if (i32.ne (i32.load (i32.const 140)) (local.get $length)) (then (unreachable)))))
    (if (i32.eq (local.get $do) (i32.const 100)) (then ;; d
      (call $delete (i32.const 64) (i32.const 3) (i32.const 128))
      (if (i32.load8_u (i32.const 128)) (then (unreachable)))))
    (if (i32.eq (local.get $do) (i32.const 103)) (then ;; g
      (call $get (i32.const 64) (i32.const 3) (i32.const 128))
      (if (i32.load8_u (i32.const 132)) (then
        (call $drop (i32.load (i32.const 136)) (i32.load (i32.const 140)))))))
    (if (i32.eq (local.get $do) (i32.const 105)) (then ;; i
      (call $increment (i32.const 64) (i32.const 3) (i32.const 1) (i32.const 60) (i32.const 128))
      (call $digit (i32.load (i32.const 136)))))
    (if (i32.eq (local.get $do) (i32.const 120)) (then ;; x
      (call $set (i32.const 64) (i32.const 1025) (local.get $text) (i32.const 1) (i32.const 60) (i32.const 128))
      (call $digit (i32.load8_u (i32.const 129)))))
    (if (i32.eq (local.get $do) (i32.const 108)) (then ;; l
      (call $set (i32.const 64) (i32.const 3) (i32.const 64) (i32.const 65537) (i32.const 60) (i32.const 128))
      (call $digit (i32.load8_u (i32.const 129)))))
    (if (i32.eq (local.get $do) (i32.const 113)) (then ;; q
      (loop $more
        (i32.store8 (i32.const 64) (i32.add (i32.const 1) (local.get $n)))
        (call $set (i32.const 64) (i32.const 1) (local.get $text) (i32.const 1) (i32.const 60) (i32.const 128))
        (local.set $n (i32.add (i32.const 1) (local.get $n)))
        (br_if $more (i32.and (i32.lt_u (local.get $n) (i32.const 100)) (i32.eqz (i32.load8_u (i32.const 128))))))
      (if (i32.ne (local.get $n) (i32.const 65)) (then (unreachable)))
      (call $digit (i32.load8_u (i32.const 129)))))
    (if (i32.eq (local.get $end) (i32.const 33)) (then (unreachable)))
    (if (i32.eq (local.get $end) (i32.const 45)) (then
      (i32.store (i32.const 4) (i32.const 2))
      (i32.store (i32.const 8) (i32.const 403))
      (i32.store (i32.const 12) (i32.const 68))
      (i32.store (i32.const 16) (i32.const 5))))
    (if (i32.eq (local.get $end) (i32.const 63)) (then
      (i32.store (i32.const 0) (i32.const 1))
      (i32.store (i32.const 4) (i32.const 0))
      (i32.store (i32.const 8) (i32.const 68))
      (i32.store (i32.const 12) (i32.const 5))))
    (i32.const 0)))
