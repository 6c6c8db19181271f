;; world: hookgate:plugin/verify-plugin
;; Names a key that its route does not give it, and answers with the error's number as its reason.
(module
  (import "hookgate:plugin/crypto@0.1.0" "equals-secret"
    (func $equals (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\01\00\00\00\91\01\00\00\80\00\00\00\02\00\00\00")
  (data (i32.const 64) "admin")
  (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
    (call $equals (i32.const 64) (i32.const 5) (i32.const 64) (i32.const 5) (i32.const 128))
    (i32.store8 (i32.const 128) (i32.add (i32.load8_u (i32.const 128)) (i32.const 48)))
    (i32.store8 (i32.const 129) (i32.add (i32.load8_u (i32.const 129)) (i32.const 48)))
    (i32.const 0)))
