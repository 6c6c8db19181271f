;; A plugin as it was built against version 0.1.0 of the contract: it imports every function of it, calls
;; each one, and exports every interface. `tests/plugins/compat.rs` loads and asks it. It is never
;; edited: a change of the contract that it does not survive breaks every plugin that is out there. A
;; new version of the contract gets a file of its own.
(component
  (type $ty-hookgate:plugin/types@0.1.0 (;0;)
    (instance
      (type (;0;) (list u8))
      (type (;1;) (tuple string 0))
      (export (;2;) "header-field" (type (eq 1)))
      (type (;3;) (record (field "status" u16) (field "reason" string)))
      (export (;4;) "rejection" (type (eq 3)))
      (type (;5;) (tuple string string))
      (type (;6;) (list 5))
      (type (;7;) (record (field "status" u16) (field "headers" 6) (field "body" string)))
      (export (;8;) "response" (type (eq 7)))
      (type (;9;) (variant (case "temporary" string) (case "permanent" string)))
      (export (;10;) "failure" (type (eq 9)))
    )
  )
  (import "hookgate:plugin/types@0.1.0" (instance $hookgate:plugin/types@0.1.0 (;0;) (type $ty-hookgate:plugin/types@0.1.0)))
  (alias export $hookgate:plugin/types@0.1.0 "header-field" (type $header-field (;1;)))
  (type $ty-hookgate:plugin/webhook@0.1.0 (;2;)
    (instance
      (type (;0;) (option string))
      (type (;1;) (record (field "id" string) (field "route" string) (field "method" string) (field "path" string) (field "query" 0) (field "received-at-ms" u64) (field "sender" string) (field "public-url" 0) (field "body-length" u32)))
      (export (;2;) "webhook-info" (type (eq 1)))
      (alias outer 1 $header-field (type (;3;)))
      (export (;4;) "header-field" (type (eq 3)))
      (type (;5;) (func (result 2)))
      (export (;0;) "info" (func (type 5)))
      (type (;6;) (func (result u64)))
      (export (;1;) "received-at-ms" (func (type 6)))
      (type (;7;) (func (param "name" string) (result 0)))
      (export (;2;) "header" (func (type 7)))
      (export (;3;) "only-header" (func (type 7)))
      (type (;8;) (list u8))
      (type (;9;) (list 8))
      (type (;10;) (func (param "name" string) (result 9)))
      (export (;4;) "header-values" (func (type 10)))
      (type (;11;) (list 4))
      (type (;12;) (func (result 11)))
      (export (;5;) "headers" (func (type 12)))
      (export (;6;) "query-param" (func (type 7)))
      (type (;13;) (func (result 8)))
      (export (;7;) "body" (func (type 13)))
      (type (;14;) (func (result 0)))
      (export (;8;) "body-text" (func (type 14)))
      (type (;15;) (func (param "offset" u32) (param "length" u32) (result 8)))
      (export (;9;) "body-range" (func (type 15)))
      (type (;16;) (func (param "pointer" string) (result 0)))
      (export (;10;) "json" (func (type 16)))
      (export (;11;) "json-string" (func (type 16)))
      (type (;17;) (list string))
      (type (;18;) (list 0))
      (type (;19;) (func (param "pointers" 17) (result 18)))
      (export (;12;) "json-values" (func (type 19)))
      (type (;20;) (tuple u32 u32))
      (type (;21;) (list 20))
      (type (;22;) (option 21))
      (type (;23;) (func (param "pointer" string) (result 22)))
      (export (;13;) "json-array-slices" (func (type 23)))
      (type (;24;) (func (param "key" string) (result 0)))
      (export (;14;) "note" (func (type 24)))
      (type (;25;) (func (param "key" string) (param "value" string)))
      (export (;15;) "set-note" (func (type 25)))
    )
  )
  (import "hookgate:plugin/webhook@0.1.0" (instance $hookgate:plugin/webhook@0.1.0 (;1;) (type $ty-hookgate:plugin/webhook@0.1.0)))
  (type $ty-hookgate:plugin/crypto@0.1.0 (;3;)
    (instance
      (type (;0;) (list u8))
      (type (;1;) (variant (case "text" string) (case "bytes" 0) (case "body") (case "header" string)))
      (export (;2;) "part" (type (eq 1)))
      (type (;3;) (enum "hex" "base64" "base64url"))
      (export (;4;) "encoding" (type (eq 3)))
      (type (;5;) (enum "unknown-key" "unsupported" "malformed" "key-unavailable"))
      (export (;6;) "crypto-error" (type (eq 5)))
      (type (;7;) (list 2))
      (type (;8;) (result bool (error 6)))
      (type (;9;) (func (param "key" string) (param "algorithm" string) (param "message" 7) (param "signature" string) (param "encoding" 4) (result 8)))
      (export (;0;) "verify" (func (type 9)))
      (type (;10;) (func (param "key" string) (param "candidate" string) (result 8)))
      (export (;1;) "equals-secret" (func (type 10)))
      (type (;11;) (result string (error 6)))
      (type (;12;) (func (param "algorithm" string) (param "message" 7) (param "encoding" 4) (result 11)))
      (export (;2;) "digest" (func (type 12)))
    )
  )
  (import "hookgate:plugin/crypto@0.1.0" (instance $hookgate:plugin/crypto@0.1.0 (;2;) (type $ty-hookgate:plugin/crypto@0.1.0)))
  (type $ty-hookgate:plugin/config@0.1.0 (;4;)
    (instance
      (type (;0;) (func (result string)))
      (export (;0;) "get" (func (type 0)))
    )
  )
  (import "hookgate:plugin/config@0.1.0" (instance $hookgate:plugin/config@0.1.0 (;3;) (type $ty-hookgate:plugin/config@0.1.0)))
  (type $ty-hookgate:plugin/log@0.1.0 (;5;)
    (instance
      (type (;0;) (enum "trace" "debug" "info" "warn" "error"))
      (export (;1;) "level" (type (eq 0)))
      (type (;2;) (tuple string string))
      (type (;3;) (list 2))
      (type (;4;) (func (param "level" 1) (param "message" string) (param "fields" 3)))
      (export (;0;) "write" (func (type 4)))
    )
  )
  (import "hookgate:plugin/log@0.1.0" (instance $hookgate:plugin/log@0.1.0 (;4;) (type $ty-hookgate:plugin/log@0.1.0)))
  (type $ty-hookgate:plugin/metrics@0.1.0 (;6;)
    (instance
      (type (;0;) (tuple string string))
      (type (;1;) (list 0))
      (type (;2;) (func (param "name" string) (param "delta" u32) (param "labels" 1)))
      (export (;0;) "count" (func (type 2)))
      (type (;3;) (func (param "name" string) (param "value" f64) (param "labels" 1)))
      (export (;1;) "observe" (func (type 3)))
    )
  )
  (import "hookgate:plugin/metrics@0.1.0" (instance $hookgate:plugin/metrics@0.1.0 (;5;) (type $ty-hookgate:plugin/metrics@0.1.0)))
  (type $ty-hookgate:plugin/deliveries@0.1.0 (;7;)
    (instance
      (export (;0;) "delivery" (type (sub resource)))
      (type (;1;) (own 0))
      (type (;2;) (func (result 1)))
      (export (;0;) "[constructor]delivery" (func (type 2)))
      (type (;3;) (borrow 0))
      (type (;4;) (func (param "self" 3) (param "name" string) (param "value" string)))
      (export (;1;) "[method]delivery.set-header" (func (type 4)))
      (export (;2;) "[method]delivery.add-header" (func (type 4)))
      (type (;5;) (func (param "self" 3) (param "name" string)))
      (export (;3;) "[method]delivery.remove-header" (func (type 5)))
      (type (;6;) (list u8))
      (type (;7;) (func (param "self" 3) (param "body" 6)))
      (export (;4;) "[method]delivery.set-body" (func (type 7)))
      (type (;8;) (func (param "self" 3) (param "body" string)))
      (export (;5;) "[method]delivery.set-body-text" (func (type 8)))
      (type (;9;) (func (param "self" 3) (param "offset" u32) (param "length" u32)))
      (export (;6;) "[method]delivery.set-body-slice" (func (type 9)))
      (type (;10;) (func (param "self" 3) (param "path-with-query" string)))
      (export (;7;) "[method]delivery.set-path" (func (type 10)))
      (type (;11;) (func (param "self" 3) (param "name" string) (result bool)))
      (export (;8;) "[method]delivery.set-upstream" (func (type 11)))
      (type (;12;) (func (param "self" 3) (param "key" string)))
      (export (;9;) "[method]delivery.set-ordering-key" (func (type 12)))
      (type (;13;) (func (param "self" 3) (param "key" string) (param "ttl-s" u32)))
      (export (;10;) "[method]delivery.set-dedupe-key" (func (type 13)))
      (type (;14;) (option string))
      (type (;15;) (func (param "self" 3) (param "scheme" string) (param "key" string) (param "id" 14) (result bool)))
      (export (;11;) "[method]delivery.set-signature" (func (type 15)))
    )
  )
  (import "hookgate:plugin/deliveries@0.1.0" (instance $hookgate:plugin/deliveries@0.1.0 (;6;) (type $ty-hookgate:plugin/deliveries@0.1.0)))
  (type $ty-hookgate:plugin/kv@0.1.0 (;8;)
    (instance
      (type (;0;) (enum "too-large" "quota" "unavailable"))
      (export (;1;) "kv-error" (type (eq 0)))
      (type (;2;) (list u8))
      (type (;3;) (option 2))
      (type (;4;) (result 3 (error 1)))
      (type (;5;) (func (param "key" string) (result 4)))
      (export (;0;) "get" (func (type 5)))
      (type (;6;) (result (error 1)))
      (type (;7;) (func (param "key" string) (param "value" 2) (param "ttl-s" u32) (result 6)))
      (export (;1;) "set" (func (type 7)))
      (type (;8;) (result bool (error 1)))
      (type (;9;) (func (param "key" string) (param "ttl-s" u32) (result 8)))
      (export (;2;) "claim" (func (type 9)))
      (type (;10;) (result s64 (error 1)))
      (type (;11;) (func (param "key" string) (param "delta" s32) (param "ttl-s" u32) (result 10)))
      (export (;3;) "increment" (func (type 11)))
      (type (;12;) (func (param "key" string) (result 6)))
      (export (;4;) "delete" (func (type 12)))
    )
  )
  (import "hookgate:plugin/kv@0.1.0" (instance $hookgate:plugin/kv@0.1.0 (;7;) (type $ty-hookgate:plugin/kv@0.1.0)))
  (alias export $hookgate:plugin/crypto@0.1.0 "part" (type $part (;9;)))
  (alias export $hookgate:plugin/crypto@0.1.0 "encoding" (type $encoding (;10;)))
  (alias export $hookgate:plugin/crypto@0.1.0 "crypto-error" (type $crypto-error (;11;)))
  (type $ty-hookgate:plugin/signing@0.1.0 (;12;)
    (instance
      (alias outer 1 $part (type (;0;)))
      (export (;1;) "part" (type (eq 0)))
      (alias outer 1 $encoding (type (;2;)))
      (export (;3;) "encoding" (type (eq 2)))
      (alias outer 1 $crypto-error (type (;4;)))
      (export (;5;) "crypto-error" (type (eq 4)))
      (type (;6;) (list 1))
      (type (;7;) (result string (error 5)))
      (type (;8;) (func (param "key" string) (param "algorithm" string) (param "message" 6) (param "encoding" 3) (result 7)))
      (export (;0;) "sign" (func (type 8)))
    )
  )
  (import "hookgate:plugin/signing@0.1.0" (instance $hookgate:plugin/signing@0.1.0 (;8;) (type $ty-hookgate:plugin/signing@0.1.0)))
  (core module $main (;0;)
    (type (;0;) (func (result i32)))
    (type (;1;) (func (param i32 i32 i32 i32 i32)))
    (type (;2;) (func (param i32 i32 i32)))
    (type (;3;) (func (param i32 i32 i32) (result i32)))
    (type (;4;) (func (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (type (;5;) (func (param i32 i32 i32 i32)))
    (type (;6;) (func (param i32)))
    (type (;7;) (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (type (;8;) (func (param i32 i32 i32 i32 i32 i32)))
    (type (;9;) (func (param i32 i32 f64 i32 i32)))
    (type (;10;) (func (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (type (;11;) (func (param i32 i32) (result i32)))
    (type (;12;) (func (param i32 i32 i32 i32) (result i32)))
    (type (;13;) (func (result i64)))
    (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $deliveries.new (;0;) (type 0)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-header" (func $deliveries.set-header (;1;) (type 1)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.add-header" (func $deliveries.add-header (;2;) (type 1)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.remove-header" (func $deliveries.remove-header (;3;) (type 2)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-body" (func $deliveries.set-body (;4;) (type 2)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-body-text" (func $deliveries.set-body-text (;5;) (type 2)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-body-slice" (func $deliveries.set-body-slice (;6;) (type 2)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-path" (func $deliveries.set-path (;7;) (type 2)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-upstream" (func $deliveries.set-upstream (;8;) (type 3)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-ordering-key" (func $deliveries.set-ordering-key (;9;) (type 2)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-signature" (func $deliveries.set-signature (;10;) (type 4)))
    (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-dedupe-key" (func $deliveries.set-dedupe-key (;11;) (type 5)))
    (import "hookgate:plugin/deliveries@0.1.0" "[resource-drop]delivery" (func $deliveries.drop (;12;) (type 6)))
    (import "hookgate:plugin/webhook@0.1.0" "info" (func $webhook.info (;13;) (type 6)))
    (import "hookgate:plugin/webhook@0.1.0" "header" (func $webhook.header (;14;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "header-values" (func $webhook.header-values (;15;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "headers" (func $webhook.headers (;16;) (type 6)))
    (import "hookgate:plugin/webhook@0.1.0" "query-param" (func $webhook.query-param (;17;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "body" (func $webhook.body (;18;) (type 6)))
    (import "hookgate:plugin/webhook@0.1.0" "body-text" (func $webhook.body-text (;19;) (type 6)))
    (import "hookgate:plugin/webhook@0.1.0" "body-range" (func $webhook.body-range (;20;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "json" (func $webhook.json (;21;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "json-string" (func $webhook.json-string (;22;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "json-array-slices" (func $webhook.json-array-slices (;23;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "note" (func $webhook.note (;24;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "set-note" (func $webhook.set-note (;25;) (type 5)))
    (import "hookgate:plugin/webhook@0.1.0" "received-at-ms" (func $webhook.received-at-ms (;26;) (type 13)))
    (import "hookgate:plugin/webhook@0.1.0" "only-header" (func $webhook.only-header (;27;) (type 2)))
    (import "hookgate:plugin/webhook@0.1.0" "json-values" (func $webhook.json-values (;28;) (type 2)))
    (import "hookgate:plugin/crypto@0.1.0" "verify" (func $crypto.verify (;29;) (type 7)))
    (import "hookgate:plugin/crypto@0.1.0" "equals-secret" (func $crypto.equals-secret (;30;) (type 1)))
    (import "hookgate:plugin/crypto@0.1.0" "digest" (func $crypto.digest (;31;) (type 8)))
    (import "hookgate:plugin/config@0.1.0" "get" (func $config.get (;32;) (type 6)))
    (import "hookgate:plugin/log@0.1.0" "write" (func $log.write (;33;) (type 1)))
    (import "hookgate:plugin/metrics@0.1.0" "count" (func $metrics.count (;34;) (type 1)))
    (import "hookgate:plugin/metrics@0.1.0" "observe" (func $metrics.observe (;35;) (type 9)))
    (import "hookgate:plugin/kv@0.1.0" "get" (func $kv.get (;36;) (type 2)))
    (import "hookgate:plugin/kv@0.1.0" "set" (func $kv.set (;37;) (type 8)))
    (import "hookgate:plugin/kv@0.1.0" "claim" (func $kv.claim (;38;) (type 5)))
    (import "hookgate:plugin/kv@0.1.0" "increment" (func $kv.increment (;39;) (type 1)))
    (import "hookgate:plugin/kv@0.1.0" "delete" (func $kv.delete (;40;) (type 2)))
    (import "hookgate:plugin/signing@0.1.0" "sign" (func $signing.sign (;41;) (type 10)))
    (memory (;0;) 2)
    (global $next (;0;) (mut i32) i32.const 65536)
    (export "memory" (memory 0))
    (export "hookgate:plugin/verify@0.1.0#verify" (func 42))
    (export "hookgate:plugin/filter@0.1.0#filter" (func 43))
    (export "hookgate:plugin/transform@0.1.0#transform" (func 44))
    (export "hookgate:plugin/lifecycle@0.1.0#describe" (func 45))
    (export "hookgate:plugin/lifecycle@0.1.0#check" (func 46))
    (export "hookgate:plugin/golden@0.1.0#webhooks" (func 47))
    (export "cabi_realloc" (func 48))
    (func (;42;) (type 0) (result i32)
      i32.const 1024
      call $webhook.info
      i32.const 64
      i32.const 1
      i32.const 1024
      call $webhook.header
      i32.const 64
      i32.const 1
      i32.const 1024
      call $webhook.header-values
      i32.const 1024
      call $webhook.headers
      i32.const 64
      i32.const 1
      i32.const 1024
      call $webhook.query-param
      i32.const 1024
      call $webhook.body
      i32.const 1024
      call $webhook.body-text
      i32.const 0
      i32.const 1
      i32.const 1024
      call $webhook.body-range
      i32.const 64
      i32.const 0
      i32.const 1024
      call $webhook.json
      i32.const 64
      i32.const 0
      i32.const 1024
      call $webhook.json-string
      i32.const 64
      i32.const 0
      i32.const 1024
      call $webhook.json-array-slices
      call $webhook.received-at-ms
      drop
      i32.const 64
      i32.const 1
      i32.const 1024
      call $webhook.only-header
      i32.const 208
      i32.const 1
      i32.const 1024
      call $webhook.json-values
      i32.const 64
      i32.const 1
      i32.const 65
      i32.const 1
      call $webhook.set-note
      i32.const 64
      i32.const 1
      i32.const 1024
      call $webhook.note
      i32.const 64
      i32.const 1
      i32.const 80
      i32.const 11
      i32.const 112
      i32.const 1
      i32.const 64
      i32.const 1
      i32.const 0
      i32.const 1024
      call $crypto.verify
      i32.const 64
      i32.const 1
      i32.const 64
      i32.const 1
      i32.const 1024
      call $crypto.equals-secret
      i32.const 96
      i32.const 6
      i32.const 112
      i32.const 1
      i32.const 0
      i32.const 1024
      call $crypto.digest
      i32.const 64
      i32.const 1
      i32.const 80
      i32.const 11
      i32.const 112
      i32.const 1
      i32.const 0
      i32.const 1024
      call $signing.sign
      i32.const 1024
      call $config.get
      i32.const 2
      i32.const 64
      i32.const 1
      i32.const 0
      i32.const 0
      call $log.write
      i32.const 64
      i32.const 1
      i32.const 1
      i32.const 0
      i32.const 0
      call $metrics.count
      i32.const 65
      i32.const 1
      f64.const 0x1p+0 (;=1;)
      i32.const 0
      i32.const 0
      call $metrics.observe
      i32.const 64
      i32.const 1
      i32.const 1024
      call $kv.get
      i32.const 64
      i32.const 1
      i32.const 65
      i32.const 1
      i32.const 60
      i32.const 1024
      call $kv.set
      i32.const 66
      i32.const 1
      i32.const 60
      i32.const 1024
      call $kv.claim
      i32.const 67
      i32.const 1
      i32.const 1
      i32.const 60
      i32.const 1024
      call $kv.increment
      i32.const 68
      i32.const 1
      i32.const 1024
      call $kv.delete
      i32.const 0
    )
    (func (;43;) (type 0) (result i32)
      i32.const 0
    )
    (func (;44;) (type 0) (result i32)
      (local $one i32)
      call $deliveries.new
      local.set $one
      call $deliveries.new
      call $deliveries.drop
      local.get $one
      i32.const 64
      i32.const 1
      i32.const 65
      i32.const 1
      call $deliveries.set-header
      local.get $one
      i32.const 64
      i32.const 1
      i32.const 66
      i32.const 1
      call $deliveries.add-header
      local.get $one
      i32.const 67
      i32.const 1
      call $deliveries.remove-header
      local.get $one
      i32.const 64
      i32.const 2
      call $deliveries.set-body
      local.get $one
      i32.const 0
      i32.const 0
      call $deliveries.set-body-slice
      local.get $one
      i32.const 64
      i32.const 5
      call $deliveries.set-body-text
      local.get $one
      i32.const 69
      i32.const 2
      call $deliveries.set-path
      local.get $one
      i32.const 64
      i32.const 1
      call $deliveries.set-upstream
      drop
      local.get $one
      i32.const 64
      i32.const 1
      call $deliveries.set-ordering-key
      local.get $one
      i32.const 64
      i32.const 1
      i32.const 64
      i32.const 1
      i32.const 0
      i32.const 0
      i32.const 0
      call $deliveries.set-signature
      drop
      local.get $one
      i32.const 64
      i32.const 1
      i32.const 60
      call $deliveries.set-dedupe-key
      i32.const 192
      local.get $one
      i32.store
      i32.const 176
    )
    (func (;45;) (type 0) (result i32)
      i32.const 160
    )
    (func (;46;) (type 11) (param i32 i32) (result i32)
      i32.const 0
    )
    (func (;47;) (type 11) (param i32 i32) (result i32)
      i32.const 168
    )
    (func (;48;) (type 12) (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      global.get $next
      i32.const 7
      i32.add
      i32.const -8
      i32.and
      local.set $at
      local.get $at
      local.get 3
      i32.add
      global.set $next
      local.get $at
    )
    (data (;0;) (i32.const 0) "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
    (data (;1;) (i32.const 64) "abcde/x")
    (data (;2;) (i32.const 80) "hmac-sha256")
    (data (;3;) (i32.const 96) "sha256")
    (data (;4;) (i32.const 112) "\02")
    (data (;5;) (i32.const 160) "\00\10\00\00[\00\00\00")
    (data (;6;) (i32.const 168) "\00 \00\00\9a\00\00\00")
    (data (;7;) (i32.const 176) "\00\00\00\00\c0\00\00\00\01\00\00\00")
    (data (;8;) (i32.const 208) "@\00\00\00\00\00\00\00")
    (data (;9;) (i32.const 4096) "{\22name\22:\22compat\22,\22metrics\22:[{\22name\22:\22a\22,\22kind\22:\22counter\22},{\22name\22:\22b\22,\22kind\22:\22histogram\22}]}")
    (data (;10;) (i32.const 8192) "{\22webhooks\22:[{\22name\22:\22compat\22,\22headers\22:[[\22a\22,\22b\22]],\22body\22:\22{}\22,\22received_at_ms\22:1700000000000,\22keys\22:{\22a\22:[\22k\22]},\22signature\22:{\22header\22:\22a\22,\22text\22:\22b\22}}]}")
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core module $wit-component-shim-module (;1;)
    (type (;0;) (func (param i32 i32 i32 i32 i32)))
    (type (;1;) (func (param i32 i32 i32)))
    (type (;2;) (func (param i32 i32 i32) (result i32)))
    (type (;3;) (func (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (type (;4;) (func (param i32 i32 i32 i32)))
    (type (;5;) (func (param i32)))
    (type (;6;) (func (param i32 i32 i32)))
    (type (;7;) (func (param i32 i32 i32)))
    (type (;8;) (func (param i32 i32 i32 i32)))
    (type (;9;) (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (type (;10;) (func (param i32 i32 i32 i32 i32)))
    (type (;11;) (func (param i32 i32 i32 i32 i32 i32)))
    (type (;12;) (func (param i32 i32 i32 i32 i32)))
    (type (;13;) (func (param i32 i32 f64 i32 i32)))
    (type (;14;) (func (param i32 i32 i32 i32)))
    (type (;15;) (func (param i32 i32 i32 i32 i32)))
    (type (;16;) (func (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (table (;0;) 38 38 funcref)
    (export "0" (func 0))
    (export "1" (func 1))
    (export "2" (func 2))
    (export "3" (func 3))
    (export "4" (func 4))
    (export "5" (func 5))
    (export "6" (func 6))
    (export "7" (func 7))
    (export "8" (func 8))
    (export "9" (func 9))
    (export "10" (func 10))
    (export "11" (func 11))
    (export "12" (func 12))
    (export "13" (func 13))
    (export "14" (func 14))
    (export "15" (func 15))
    (export "16" (func 16))
    (export "17" (func 17))
    (export "18" (func 18))
    (export "19" (func 19))
    (export "20" (func 20))
    (export "21" (func 21))
    (export "22" (func 22))
    (export "23" (func 23))
    (export "24" (func 24))
    (export "25" (func 25))
    (export "26" (func 26))
    (export "27" (func 27))
    (export "28" (func 28))
    (export "29" (func 29))
    (export "30" (func 30))
    (export "31" (func 31))
    (export "32" (func 32))
    (export "33" (func 33))
    (export "34" (func 34))
    (export "35" (func 35))
    (export "36" (func 36))
    (export "37" (func 37))
    (export "$imports" (table 0))
    (func (;0;) (type 0) (param i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      i32.const 0
      call_indirect (type 0)
    )
    (func (;1;) (type 0) (param i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      i32.const 1
      call_indirect (type 0)
    )
    (func (;2;) (type 1) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 2
      call_indirect (type 1)
    )
    (func (;3;) (type 1) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 3
      call_indirect (type 1)
    )
    (func (;4;) (type 1) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 4
      call_indirect (type 1)
    )
    (func (;5;) (type 1) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 5
      call_indirect (type 1)
    )
    (func (;6;) (type 2) (param i32 i32 i32) (result i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 6
      call_indirect (type 2)
    )
    (func (;7;) (type 1) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 7
      call_indirect (type 1)
    )
    (func (;8;) (type 3) (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      local.get 5
      local.get 6
      local.get 7
      i32.const 8
      call_indirect (type 3)
    )
    (func (;9;) (type 4) (param i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      i32.const 9
      call_indirect (type 4)
    )
    (func (;10;) (type 5) (param i32)
      local.get 0
      i32.const 10
      call_indirect (type 5)
    )
    (func (;11;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 11
      call_indirect (type 6)
    )
    (func (;12;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 12
      call_indirect (type 6)
    )
    (func (;13;) (type 5) (param i32)
      local.get 0
      i32.const 13
      call_indirect (type 5)
    )
    (func (;14;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 14
      call_indirect (type 6)
    )
    (func (;15;) (type 5) (param i32)
      local.get 0
      i32.const 15
      call_indirect (type 5)
    )
    (func (;16;) (type 5) (param i32)
      local.get 0
      i32.const 16
      call_indirect (type 5)
    )
    (func (;17;) (type 7) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 17
      call_indirect (type 7)
    )
    (func (;18;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 18
      call_indirect (type 6)
    )
    (func (;19;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 19
      call_indirect (type 6)
    )
    (func (;20;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 20
      call_indirect (type 6)
    )
    (func (;21;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 21
      call_indirect (type 6)
    )
    (func (;22;) (type 8) (param i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      i32.const 22
      call_indirect (type 8)
    )
    (func (;23;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 23
      call_indirect (type 6)
    )
    (func (;24;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 24
      call_indirect (type 6)
    )
    (func (;25;) (type 9) (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      local.get 5
      local.get 6
      local.get 7
      local.get 8
      local.get 9
      i32.const 25
      call_indirect (type 9)
    )
    (func (;26;) (type 10) (param i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      i32.const 26
      call_indirect (type 10)
    )
    (func (;27;) (type 11) (param i32 i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      local.get 5
      i32.const 27
      call_indirect (type 11)
    )
    (func (;28;) (type 5) (param i32)
      local.get 0
      i32.const 28
      call_indirect (type 5)
    )
    (func (;29;) (type 0) (param i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      i32.const 29
      call_indirect (type 0)
    )
    (func (;30;) (type 12) (param i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      i32.const 30
      call_indirect (type 12)
    )
    (func (;31;) (type 13) (param i32 i32 f64 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      i32.const 31
      call_indirect (type 13)
    )
    (func (;32;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 32
      call_indirect (type 6)
    )
    (func (;33;) (type 11) (param i32 i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      local.get 5
      i32.const 33
      call_indirect (type 11)
    )
    (func (;34;) (type 14) (param i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      i32.const 34
      call_indirect (type 14)
    )
    (func (;35;) (type 15) (param i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      i32.const 35
      call_indirect (type 15)
    )
    (func (;36;) (type 6) (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      i32.const 36
      call_indirect (type 6)
    )
    (func (;37;) (type 16) (param i32 i32 i32 i32 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      local.get 5
      local.get 6
      local.get 7
      i32.const 37
      call_indirect (type 16)
    )
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core module $wit-component-fixup (;2;)
    (type (;0;) (func (param i32 i32 i32 i32 i32)))
    (type (;1;) (func (param i32 i32 i32)))
    (type (;2;) (func (param i32 i32 i32) (result i32)))
    (type (;3;) (func (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (type (;4;) (func (param i32 i32 i32 i32)))
    (type (;5;) (func (param i32)))
    (type (;6;) (func (param i32 i32 i32)))
    (type (;7;) (func (param i32 i32 i32)))
    (type (;8;) (func (param i32 i32 i32 i32)))
    (type (;9;) (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (type (;10;) (func (param i32 i32 i32 i32 i32)))
    (type (;11;) (func (param i32 i32 i32 i32 i32 i32)))
    (type (;12;) (func (param i32 i32 i32 i32 i32)))
    (type (;13;) (func (param i32 i32 f64 i32 i32)))
    (type (;14;) (func (param i32 i32 i32 i32)))
    (type (;15;) (func (param i32 i32 i32 i32 i32)))
    (type (;16;) (func (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "" "0" (func (;0;) (type 0)))
    (import "" "1" (func (;1;) (type 0)))
    (import "" "2" (func (;2;) (type 1)))
    (import "" "3" (func (;3;) (type 1)))
    (import "" "4" (func (;4;) (type 1)))
    (import "" "5" (func (;5;) (type 1)))
    (import "" "6" (func (;6;) (type 2)))
    (import "" "7" (func (;7;) (type 1)))
    (import "" "8" (func (;8;) (type 3)))
    (import "" "9" (func (;9;) (type 4)))
    (import "" "10" (func (;10;) (type 5)))
    (import "" "11" (func (;11;) (type 6)))
    (import "" "12" (func (;12;) (type 6)))
    (import "" "13" (func (;13;) (type 5)))
    (import "" "14" (func (;14;) (type 6)))
    (import "" "15" (func (;15;) (type 5)))
    (import "" "16" (func (;16;) (type 5)))
    (import "" "17" (func (;17;) (type 7)))
    (import "" "18" (func (;18;) (type 6)))
    (import "" "19" (func (;19;) (type 6)))
    (import "" "20" (func (;20;) (type 6)))
    (import "" "21" (func (;21;) (type 6)))
    (import "" "22" (func (;22;) (type 8)))
    (import "" "23" (func (;23;) (type 6)))
    (import "" "24" (func (;24;) (type 6)))
    (import "" "25" (func (;25;) (type 9)))
    (import "" "26" (func (;26;) (type 10)))
    (import "" "27" (func (;27;) (type 11)))
    (import "" "28" (func (;28;) (type 5)))
    (import "" "29" (func (;29;) (type 0)))
    (import "" "30" (func (;30;) (type 12)))
    (import "" "31" (func (;31;) (type 13)))
    (import "" "32" (func (;32;) (type 6)))
    (import "" "33" (func (;33;) (type 11)))
    (import "" "34" (func (;34;) (type 14)))
    (import "" "35" (func (;35;) (type 15)))
    (import "" "36" (func (;36;) (type 6)))
    (import "" "37" (func (;37;) (type 16)))
    (import "" "$imports" (table (;0;) 38 38 funcref))
    (elem (;0;) (i32.const 0) func 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37)
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core instance $wit-component-shim-instance (;0;) (instantiate $wit-component-shim-module))
  (alias export $hookgate:plugin/types@0.1.0 "rejection" (type $rejection (;13;)))
  (alias export $hookgate:plugin/types@0.1.0 "response" (type $response (;14;)))
  (alias export $hookgate:plugin/types@0.1.0 "failure" (type $failure (;15;)))
  (type (;16;) (variant (case "accept") (case "reject" $rejection) (case "respond" $response)))
  (type (;17;) (variant (case "forward") (case "drop" string) (case "reject" $rejection) (case "respond" $response)))
  (alias export $hookgate:plugin/deliveries@0.1.0 "delivery" (type $delivery (;18;)))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[constructor]delivery" (func $"[constructor]delivery" (;0;)))
  (core func $"[constructor]delivery" (;0;) (canon lower (func $"[constructor]delivery")))
  (alias core export $wit-component-shim-instance "0" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-header" (;1;)))
  (alias core export $wit-component-shim-instance "1" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.add-header" (;2;)))
  (alias core export $wit-component-shim-instance "2" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.remove-header" (;3;)))
  (alias core export $wit-component-shim-instance "3" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body" (;4;)))
  (alias core export $wit-component-shim-instance "4" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body-text" (;5;)))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-body-slice" (func $"[method]delivery.set-body-slice" (;1;)))
  (core func $"[method]delivery.set-body-slice" (;6;) (canon lower (func $"[method]delivery.set-body-slice")))
  (alias core export $wit-component-shim-instance "5" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-path" (;7;)))
  (alias core export $wit-component-shim-instance "6" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-upstream" (;8;)))
  (alias core export $wit-component-shim-instance "7" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-ordering-key" (;9;)))
  (alias core export $wit-component-shim-instance "8" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-signature" (;10;)))
  (alias core export $wit-component-shim-instance "9" (core func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-dedupe-key" (;11;)))
  (alias export $hookgate:plugin/deliveries@0.1.0 "delivery" (type $"#type19 delivery" (@name "delivery") (;19;)))
  (core func $resource.drop (;12;) (canon resource.drop $"#type19 delivery"))
  (core instance $hookgate:plugin/deliveries@0.1.0 (;1;)
    (export "[constructor]delivery" (func $"[constructor]delivery"))
    (export "[method]delivery.set-header" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-header"))
    (export "[method]delivery.add-header" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.add-header"))
    (export "[method]delivery.remove-header" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.remove-header"))
    (export "[method]delivery.set-body" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body"))
    (export "[method]delivery.set-body-text" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body-text"))
    (export "[method]delivery.set-body-slice" (func $"[method]delivery.set-body-slice"))
    (export "[method]delivery.set-path" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-path"))
    (export "[method]delivery.set-upstream" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-upstream"))
    (export "[method]delivery.set-ordering-key" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-ordering-key"))
    (export "[method]delivery.set-signature" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-signature"))
    (export "[method]delivery.set-dedupe-key" (func $"indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-dedupe-key"))
    (export "[resource-drop]delivery" (func $resource.drop))
  )
  (alias core export $wit-component-shim-instance "10" (core func $indirect-hookgate:plugin/webhook@0.1.0-info (;13;)))
  (alias core export $wit-component-shim-instance "11" (core func $indirect-hookgate:plugin/webhook@0.1.0-header (;14;)))
  (alias core export $wit-component-shim-instance "12" (core func $indirect-hookgate:plugin/webhook@0.1.0-header-values (;15;)))
  (alias core export $wit-component-shim-instance "13" (core func $indirect-hookgate:plugin/webhook@0.1.0-headers (;16;)))
  (alias core export $wit-component-shim-instance "14" (core func $indirect-hookgate:plugin/webhook@0.1.0-query-param (;17;)))
  (alias core export $wit-component-shim-instance "15" (core func $indirect-hookgate:plugin/webhook@0.1.0-body (;18;)))
  (alias core export $wit-component-shim-instance "16" (core func $indirect-hookgate:plugin/webhook@0.1.0-body-text (;19;)))
  (alias core export $wit-component-shim-instance "17" (core func $indirect-hookgate:plugin/webhook@0.1.0-body-range (;20;)))
  (alias core export $wit-component-shim-instance "18" (core func $indirect-hookgate:plugin/webhook@0.1.0-json (;21;)))
  (alias core export $wit-component-shim-instance "19" (core func $indirect-hookgate:plugin/webhook@0.1.0-json-string (;22;)))
  (alias core export $wit-component-shim-instance "20" (core func $indirect-hookgate:plugin/webhook@0.1.0-json-array-slices (;23;)))
  (alias core export $wit-component-shim-instance "21" (core func $indirect-hookgate:plugin/webhook@0.1.0-note (;24;)))
  (alias core export $wit-component-shim-instance "22" (core func $indirect-hookgate:plugin/webhook@0.1.0-set-note (;25;)))
  (alias export $hookgate:plugin/webhook@0.1.0 "received-at-ms" (func $received-at-ms (;2;)))
  (core func $received-at-ms (;26;) (canon lower (func $received-at-ms)))
  (alias core export $wit-component-shim-instance "23" (core func $indirect-hookgate:plugin/webhook@0.1.0-only-header (;27;)))
  (alias core export $wit-component-shim-instance "24" (core func $indirect-hookgate:plugin/webhook@0.1.0-json-values (;28;)))
  (core instance $hookgate:plugin/webhook@0.1.0 (;2;)
    (export "info" (func $indirect-hookgate:plugin/webhook@0.1.0-info))
    (export "header" (func $indirect-hookgate:plugin/webhook@0.1.0-header))
    (export "header-values" (func $indirect-hookgate:plugin/webhook@0.1.0-header-values))
    (export "headers" (func $indirect-hookgate:plugin/webhook@0.1.0-headers))
    (export "query-param" (func $indirect-hookgate:plugin/webhook@0.1.0-query-param))
    (export "body" (func $indirect-hookgate:plugin/webhook@0.1.0-body))
    (export "body-text" (func $indirect-hookgate:plugin/webhook@0.1.0-body-text))
    (export "body-range" (func $indirect-hookgate:plugin/webhook@0.1.0-body-range))
    (export "json" (func $indirect-hookgate:plugin/webhook@0.1.0-json))
    (export "json-string" (func $indirect-hookgate:plugin/webhook@0.1.0-json-string))
    (export "json-array-slices" (func $indirect-hookgate:plugin/webhook@0.1.0-json-array-slices))
    (export "note" (func $indirect-hookgate:plugin/webhook@0.1.0-note))
    (export "set-note" (func $indirect-hookgate:plugin/webhook@0.1.0-set-note))
    (export "received-at-ms" (func $received-at-ms))
    (export "only-header" (func $indirect-hookgate:plugin/webhook@0.1.0-only-header))
    (export "json-values" (func $indirect-hookgate:plugin/webhook@0.1.0-json-values))
  )
  (alias core export $wit-component-shim-instance "25" (core func $indirect-hookgate:plugin/crypto@0.1.0-verify (;29;)))
  (alias core export $wit-component-shim-instance "26" (core func $indirect-hookgate:plugin/crypto@0.1.0-equals-secret (;30;)))
  (alias core export $wit-component-shim-instance "27" (core func $indirect-hookgate:plugin/crypto@0.1.0-digest (;31;)))
  (core instance $hookgate:plugin/crypto@0.1.0 (;3;)
    (export "verify" (func $indirect-hookgate:plugin/crypto@0.1.0-verify))
    (export "equals-secret" (func $indirect-hookgate:plugin/crypto@0.1.0-equals-secret))
    (export "digest" (func $indirect-hookgate:plugin/crypto@0.1.0-digest))
  )
  (alias core export $wit-component-shim-instance "28" (core func $indirect-hookgate:plugin/config@0.1.0-get (;32;)))
  (core instance $hookgate:plugin/config@0.1.0 (;4;)
    (export "get" (func $indirect-hookgate:plugin/config@0.1.0-get))
  )
  (alias core export $wit-component-shim-instance "29" (core func $indirect-hookgate:plugin/log@0.1.0-write (;33;)))
  (core instance $hookgate:plugin/log@0.1.0 (;5;)
    (export "write" (func $indirect-hookgate:plugin/log@0.1.0-write))
  )
  (alias core export $wit-component-shim-instance "30" (core func $indirect-hookgate:plugin/metrics@0.1.0-count (;34;)))
  (alias core export $wit-component-shim-instance "31" (core func $indirect-hookgate:plugin/metrics@0.1.0-observe (;35;)))
  (core instance $hookgate:plugin/metrics@0.1.0 (;6;)
    (export "count" (func $indirect-hookgate:plugin/metrics@0.1.0-count))
    (export "observe" (func $indirect-hookgate:plugin/metrics@0.1.0-observe))
  )
  (alias core export $wit-component-shim-instance "32" (core func $indirect-hookgate:plugin/kv@0.1.0-get (;36;)))
  (alias core export $wit-component-shim-instance "33" (core func $indirect-hookgate:plugin/kv@0.1.0-set (;37;)))
  (alias core export $wit-component-shim-instance "34" (core func $indirect-hookgate:plugin/kv@0.1.0-claim (;38;)))
  (alias core export $wit-component-shim-instance "35" (core func $indirect-hookgate:plugin/kv@0.1.0-increment (;39;)))
  (alias core export $wit-component-shim-instance "36" (core func $indirect-hookgate:plugin/kv@0.1.0-delete (;40;)))
  (core instance $hookgate:plugin/kv@0.1.0 (;7;)
    (export "get" (func $indirect-hookgate:plugin/kv@0.1.0-get))
    (export "set" (func $indirect-hookgate:plugin/kv@0.1.0-set))
    (export "claim" (func $indirect-hookgate:plugin/kv@0.1.0-claim))
    (export "increment" (func $indirect-hookgate:plugin/kv@0.1.0-increment))
    (export "delete" (func $indirect-hookgate:plugin/kv@0.1.0-delete))
  )
  (alias core export $wit-component-shim-instance "37" (core func $indirect-hookgate:plugin/signing@0.1.0-sign (;41;)))
  (core instance $hookgate:plugin/signing@0.1.0 (;8;)
    (export "sign" (func $indirect-hookgate:plugin/signing@0.1.0-sign))
  )
  (core instance $main (;9;) (instantiate $main
      (with "hookgate:plugin/deliveries@0.1.0" (instance $hookgate:plugin/deliveries@0.1.0))
      (with "hookgate:plugin/webhook@0.1.0" (instance $hookgate:plugin/webhook@0.1.0))
      (with "hookgate:plugin/crypto@0.1.0" (instance $hookgate:plugin/crypto@0.1.0))
      (with "hookgate:plugin/config@0.1.0" (instance $hookgate:plugin/config@0.1.0))
      (with "hookgate:plugin/log@0.1.0" (instance $hookgate:plugin/log@0.1.0))
      (with "hookgate:plugin/metrics@0.1.0" (instance $hookgate:plugin/metrics@0.1.0))
      (with "hookgate:plugin/kv@0.1.0" (instance $hookgate:plugin/kv@0.1.0))
      (with "hookgate:plugin/signing@0.1.0" (instance $hookgate:plugin/signing@0.1.0))
    )
  )
  (alias core export $main "memory" (core memory $memory (;0;)))
  (alias core export $wit-component-shim-instance "$imports" (core table $"shim table" (;0;)))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-header" (func $"[method]delivery.set-header" (;3;)))
  (alias core export $main "cabi_realloc" (core func $realloc (;42;)))
  (core func $"#core-func43 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-header" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-header") (;43;) (canon lower (func $"[method]delivery.set-header") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.add-header" (func $"[method]delivery.add-header" (;4;)))
  (core func $"#core-func44 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.add-header" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.add-header") (;44;) (canon lower (func $"[method]delivery.add-header") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.remove-header" (func $"[method]delivery.remove-header" (;5;)))
  (core func $"#core-func45 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.remove-header" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.remove-header") (;45;) (canon lower (func $"[method]delivery.remove-header") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-body" (func $"[method]delivery.set-body" (;6;)))
  (core func $"#core-func46 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body") (;46;) (canon lower (func $"[method]delivery.set-body") (memory $memory)))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-body-text" (func $"[method]delivery.set-body-text" (;7;)))
  (core func $"#core-func47 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body-text" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body-text") (;47;) (canon lower (func $"[method]delivery.set-body-text") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-path" (func $"[method]delivery.set-path" (;8;)))
  (core func $"#core-func48 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-path" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-path") (;48;) (canon lower (func $"[method]delivery.set-path") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-upstream" (func $"[method]delivery.set-upstream" (;9;)))
  (core func $"#core-func49 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-upstream" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-upstream") (;49;) (canon lower (func $"[method]delivery.set-upstream") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-ordering-key" (func $"[method]delivery.set-ordering-key" (;10;)))
  (core func $"#core-func50 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-ordering-key" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-ordering-key") (;50;) (canon lower (func $"[method]delivery.set-ordering-key") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-signature" (func $"[method]delivery.set-signature" (;11;)))
  (core func $"#core-func51 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-signature" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-signature") (;51;) (canon lower (func $"[method]delivery.set-signature") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/deliveries@0.1.0 "[method]delivery.set-dedupe-key" (func $"[method]delivery.set-dedupe-key" (;12;)))
  (core func $"#core-func52 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-dedupe-key" (@name "indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-dedupe-key") (;52;) (canon lower (func $"[method]delivery.set-dedupe-key") (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "info" (func $info (;13;)))
  (core func $"#core-func53 indirect-hookgate:plugin/webhook@0.1.0-info" (@name "indirect-hookgate:plugin/webhook@0.1.0-info") (;53;) (canon lower (func $info) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "header" (func $header (;14;)))
  (core func $"#core-func54 indirect-hookgate:plugin/webhook@0.1.0-header" (@name "indirect-hookgate:plugin/webhook@0.1.0-header") (;54;) (canon lower (func $header) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "header-values" (func $header-values (;15;)))
  (core func $"#core-func55 indirect-hookgate:plugin/webhook@0.1.0-header-values" (@name "indirect-hookgate:plugin/webhook@0.1.0-header-values") (;55;) (canon lower (func $header-values) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "headers" (func $headers (;16;)))
  (core func $"#core-func56 indirect-hookgate:plugin/webhook@0.1.0-headers" (@name "indirect-hookgate:plugin/webhook@0.1.0-headers") (;56;) (canon lower (func $headers) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "query-param" (func $query-param (;17;)))
  (core func $"#core-func57 indirect-hookgate:plugin/webhook@0.1.0-query-param" (@name "indirect-hookgate:plugin/webhook@0.1.0-query-param") (;57;) (canon lower (func $query-param) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "body" (func $body (;18;)))
  (core func $"#core-func58 indirect-hookgate:plugin/webhook@0.1.0-body" (@name "indirect-hookgate:plugin/webhook@0.1.0-body") (;58;) (canon lower (func $body) (memory $memory) (realloc $realloc)))
  (alias export $hookgate:plugin/webhook@0.1.0 "body-text" (func $body-text (;19;)))
  (core func $"#core-func59 indirect-hookgate:plugin/webhook@0.1.0-body-text" (@name "indirect-hookgate:plugin/webhook@0.1.0-body-text") (;59;) (canon lower (func $body-text) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "body-range" (func $body-range (;20;)))
  (core func $"#core-func60 indirect-hookgate:plugin/webhook@0.1.0-body-range" (@name "indirect-hookgate:plugin/webhook@0.1.0-body-range") (;60;) (canon lower (func $body-range) (memory $memory) (realloc $realloc)))
  (alias export $hookgate:plugin/webhook@0.1.0 "json" (func $json (;21;)))
  (core func $"#core-func61 indirect-hookgate:plugin/webhook@0.1.0-json" (@name "indirect-hookgate:plugin/webhook@0.1.0-json") (;61;) (canon lower (func $json) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "json-string" (func $json-string (;22;)))
  (core func $"#core-func62 indirect-hookgate:plugin/webhook@0.1.0-json-string" (@name "indirect-hookgate:plugin/webhook@0.1.0-json-string") (;62;) (canon lower (func $json-string) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "json-array-slices" (func $json-array-slices (;23;)))
  (core func $"#core-func63 indirect-hookgate:plugin/webhook@0.1.0-json-array-slices" (@name "indirect-hookgate:plugin/webhook@0.1.0-json-array-slices") (;63;) (canon lower (func $json-array-slices) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "note" (func $note (;24;)))
  (core func $"#core-func64 indirect-hookgate:plugin/webhook@0.1.0-note" (@name "indirect-hookgate:plugin/webhook@0.1.0-note") (;64;) (canon lower (func $note) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "set-note" (func $set-note (;25;)))
  (core func $"#core-func65 indirect-hookgate:plugin/webhook@0.1.0-set-note" (@name "indirect-hookgate:plugin/webhook@0.1.0-set-note") (;65;) (canon lower (func $set-note) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "only-header" (func $only-header (;26;)))
  (core func $"#core-func66 indirect-hookgate:plugin/webhook@0.1.0-only-header" (@name "indirect-hookgate:plugin/webhook@0.1.0-only-header") (;66;) (canon lower (func $only-header) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/webhook@0.1.0 "json-values" (func $json-values (;27;)))
  (core func $"#core-func67 indirect-hookgate:plugin/webhook@0.1.0-json-values" (@name "indirect-hookgate:plugin/webhook@0.1.0-json-values") (;67;) (canon lower (func $json-values) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/crypto@0.1.0 "verify" (func $verify (;28;)))
  (core func $"#core-func68 indirect-hookgate:plugin/crypto@0.1.0-verify" (@name "indirect-hookgate:plugin/crypto@0.1.0-verify") (;68;) (canon lower (func $verify) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/crypto@0.1.0 "equals-secret" (func $equals-secret (;29;)))
  (core func $"#core-func69 indirect-hookgate:plugin/crypto@0.1.0-equals-secret" (@name "indirect-hookgate:plugin/crypto@0.1.0-equals-secret") (;69;) (canon lower (func $equals-secret) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/crypto@0.1.0 "digest" (func $digest (;30;)))
  (core func $"#core-func70 indirect-hookgate:plugin/crypto@0.1.0-digest" (@name "indirect-hookgate:plugin/crypto@0.1.0-digest") (;70;) (canon lower (func $digest) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/config@0.1.0 "get" (func $get (;31;)))
  (core func $"#core-func71 indirect-hookgate:plugin/config@0.1.0-get" (@name "indirect-hookgate:plugin/config@0.1.0-get") (;71;) (canon lower (func $get) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/log@0.1.0 "write" (func $write (;32;)))
  (core func $"#core-func72 indirect-hookgate:plugin/log@0.1.0-write" (@name "indirect-hookgate:plugin/log@0.1.0-write") (;72;) (canon lower (func $write) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/metrics@0.1.0 "count" (func $count (;33;)))
  (core func $"#core-func73 indirect-hookgate:plugin/metrics@0.1.0-count" (@name "indirect-hookgate:plugin/metrics@0.1.0-count") (;73;) (canon lower (func $count) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/metrics@0.1.0 "observe" (func $observe (;34;)))
  (core func $"#core-func74 indirect-hookgate:plugin/metrics@0.1.0-observe" (@name "indirect-hookgate:plugin/metrics@0.1.0-observe") (;74;) (canon lower (func $observe) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/kv@0.1.0 "get" (func $"#func35 get" (@name "get") (;35;)))
  (core func $"#core-func75 indirect-hookgate:plugin/kv@0.1.0-get" (@name "indirect-hookgate:plugin/kv@0.1.0-get") (;75;) (canon lower (func $"#func35 get") (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $hookgate:plugin/kv@0.1.0 "set" (func $set (;36;)))
  (core func $"#core-func76 indirect-hookgate:plugin/kv@0.1.0-set" (@name "indirect-hookgate:plugin/kv@0.1.0-set") (;76;) (canon lower (func $set) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/kv@0.1.0 "claim" (func $claim (;37;)))
  (core func $"#core-func77 indirect-hookgate:plugin/kv@0.1.0-claim" (@name "indirect-hookgate:plugin/kv@0.1.0-claim") (;77;) (canon lower (func $claim) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/kv@0.1.0 "increment" (func $increment (;38;)))
  (core func $"#core-func78 indirect-hookgate:plugin/kv@0.1.0-increment" (@name "indirect-hookgate:plugin/kv@0.1.0-increment") (;78;) (canon lower (func $increment) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/kv@0.1.0 "delete" (func $delete (;39;)))
  (core func $"#core-func79 indirect-hookgate:plugin/kv@0.1.0-delete" (@name "indirect-hookgate:plugin/kv@0.1.0-delete") (;79;) (canon lower (func $delete) (memory $memory) string-encoding=utf8))
  (alias export $hookgate:plugin/signing@0.1.0 "sign" (func $sign (;40;)))
  (core func $"#core-func80 indirect-hookgate:plugin/signing@0.1.0-sign" (@name "indirect-hookgate:plugin/signing@0.1.0-sign") (;80;) (canon lower (func $sign) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (core instance $fixup-args (;10;)
    (export "$imports" (table $"shim table"))
    (export "0" (func $"#core-func43 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-header"))
    (export "1" (func $"#core-func44 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.add-header"))
    (export "2" (func $"#core-func45 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.remove-header"))
    (export "3" (func $"#core-func46 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body"))
    (export "4" (func $"#core-func47 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-body-text"))
    (export "5" (func $"#core-func48 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-path"))
    (export "6" (func $"#core-func49 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-upstream"))
    (export "7" (func $"#core-func50 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-ordering-key"))
    (export "8" (func $"#core-func51 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-signature"))
    (export "9" (func $"#core-func52 indirect-hookgate:plugin/deliveries@0.1.0-[method]delivery.set-dedupe-key"))
    (export "10" (func $"#core-func53 indirect-hookgate:plugin/webhook@0.1.0-info"))
    (export "11" (func $"#core-func54 indirect-hookgate:plugin/webhook@0.1.0-header"))
    (export "12" (func $"#core-func55 indirect-hookgate:plugin/webhook@0.1.0-header-values"))
    (export "13" (func $"#core-func56 indirect-hookgate:plugin/webhook@0.1.0-headers"))
    (export "14" (func $"#core-func57 indirect-hookgate:plugin/webhook@0.1.0-query-param"))
    (export "15" (func $"#core-func58 indirect-hookgate:plugin/webhook@0.1.0-body"))
    (export "16" (func $"#core-func59 indirect-hookgate:plugin/webhook@0.1.0-body-text"))
    (export "17" (func $"#core-func60 indirect-hookgate:plugin/webhook@0.1.0-body-range"))
    (export "18" (func $"#core-func61 indirect-hookgate:plugin/webhook@0.1.0-json"))
    (export "19" (func $"#core-func62 indirect-hookgate:plugin/webhook@0.1.0-json-string"))
    (export "20" (func $"#core-func63 indirect-hookgate:plugin/webhook@0.1.0-json-array-slices"))
    (export "21" (func $"#core-func64 indirect-hookgate:plugin/webhook@0.1.0-note"))
    (export "22" (func $"#core-func65 indirect-hookgate:plugin/webhook@0.1.0-set-note"))
    (export "23" (func $"#core-func66 indirect-hookgate:plugin/webhook@0.1.0-only-header"))
    (export "24" (func $"#core-func67 indirect-hookgate:plugin/webhook@0.1.0-json-values"))
    (export "25" (func $"#core-func68 indirect-hookgate:plugin/crypto@0.1.0-verify"))
    (export "26" (func $"#core-func69 indirect-hookgate:plugin/crypto@0.1.0-equals-secret"))
    (export "27" (func $"#core-func70 indirect-hookgate:plugin/crypto@0.1.0-digest"))
    (export "28" (func $"#core-func71 indirect-hookgate:plugin/config@0.1.0-get"))
    (export "29" (func $"#core-func72 indirect-hookgate:plugin/log@0.1.0-write"))
    (export "30" (func $"#core-func73 indirect-hookgate:plugin/metrics@0.1.0-count"))
    (export "31" (func $"#core-func74 indirect-hookgate:plugin/metrics@0.1.0-observe"))
    (export "32" (func $"#core-func75 indirect-hookgate:plugin/kv@0.1.0-get"))
    (export "33" (func $"#core-func76 indirect-hookgate:plugin/kv@0.1.0-set"))
    (export "34" (func $"#core-func77 indirect-hookgate:plugin/kv@0.1.0-claim"))
    (export "35" (func $"#core-func78 indirect-hookgate:plugin/kv@0.1.0-increment"))
    (export "36" (func $"#core-func79 indirect-hookgate:plugin/kv@0.1.0-delete"))
    (export "37" (func $"#core-func80 indirect-hookgate:plugin/signing@0.1.0-sign"))
  )
  (core instance $fixup (;11;) (instantiate $wit-component-fixup
      (with "" (instance $fixup-args))
    )
  )
  (type (;20;) (result 16 (error $failure)))
  (type (;21;) (func (result 20)))
  (alias core export $main "hookgate:plugin/verify@0.1.0#verify" (core func $hookgate:plugin/verify@0.1.0#verify (;81;)))
  (func $"#func41 verify" (@name "verify") (;41;) (type 21) (canon lift (core func $hookgate:plugin/verify@0.1.0#verify) (memory $memory) string-encoding=utf8))
  (component $hookgate:plugin/verify@0.1.0-shim-component (;0;)
    (type (;0;) (record (field "status" u16) (field "reason" string)))
    (import "import-type-rejection" (type (;1;) (eq 0)))
    (type (;2;) (tuple string string))
    (type (;3;) (list 2))
    (type (;4;) (record (field "status" u16) (field "headers" 3) (field "body" string)))
    (import "import-type-response" (type (;5;) (eq 4)))
    (type (;6;) (variant (case "temporary" string) (case "permanent" string)))
    (import "import-type-failure" (type (;7;) (eq 6)))
    (import "import-type-rejection0" (type (;8;) (eq 1)))
    (import "import-type-response0" (type (;9;) (eq 5)))
    (type (;10;) (variant (case "accept") (case "reject" 8) (case "respond" 9)))
    (import "import-type-verdict" (type (;11;) (eq 10)))
    (import "import-type-failure0" (type (;12;) (eq 7)))
    (type (;13;) (result 11 (error 12)))
    (type (;14;) (func (result 13)))
    (import "import-func-verify" (func (;0;) (type 14)))
    (export (;15;) "rejection" (type 1))
    (export (;16;) "response" (type 5))
    (export (;17;) "failure" (type 7))
    (type (;18;) (variant (case "accept") (case "reject" 15) (case "respond" 16)))
    (export (;19;) "verdict" (type 18))
    (type (;20;) (result 19 (error 17)))
    (type (;21;) (func (result 20)))
    (export (;1;) "verify" (func 0) (func (type 21)))
  )
  (instance $hookgate:plugin/verify@0.1.0-shim-instance (;9;) (instantiate $hookgate:plugin/verify@0.1.0-shim-component
      (with "import-func-verify" (func $"#func41 verify"))
      (with "import-type-rejection" (type $rejection))
      (with "import-type-response" (type $response))
      (with "import-type-failure" (type $failure))
      (with "import-type-rejection0" (type $rejection))
      (with "import-type-response0" (type $response))
      (with "import-type-verdict" (type 16))
      (with "import-type-failure0" (type $failure))
    )
  )
  (export $hookgate:plugin/verify@0.1.0 (;10;) "hookgate:plugin/verify@0.1.0" (instance $hookgate:plugin/verify@0.1.0-shim-instance))
  (type (;22;) (result 17 (error $failure)))
  (type (;23;) (func (result 22)))
  (alias core export $main "hookgate:plugin/filter@0.1.0#filter" (core func $hookgate:plugin/filter@0.1.0#filter (;82;)))
  (func $filter (;42;) (type 23) (canon lift (core func $hookgate:plugin/filter@0.1.0#filter) (memory $memory) string-encoding=utf8))
  (component $hookgate:plugin/filter@0.1.0-shim-component (;1;)
    (type (;0;) (record (field "status" u16) (field "reason" string)))
    (import "import-type-rejection" (type (;1;) (eq 0)))
    (type (;2;) (tuple string string))
    (type (;3;) (list 2))
    (type (;4;) (record (field "status" u16) (field "headers" 3) (field "body" string)))
    (import "import-type-response" (type (;5;) (eq 4)))
    (type (;6;) (variant (case "temporary" string) (case "permanent" string)))
    (import "import-type-failure" (type (;7;) (eq 6)))
    (import "import-type-rejection0" (type (;8;) (eq 1)))
    (import "import-type-response0" (type (;9;) (eq 5)))
    (type (;10;) (variant (case "forward") (case "drop" string) (case "reject" 8) (case "respond" 9)))
    (import "import-type-verdict" (type (;11;) (eq 10)))
    (import "import-type-failure0" (type (;12;) (eq 7)))
    (type (;13;) (result 11 (error 12)))
    (type (;14;) (func (result 13)))
    (import "import-func-filter" (func (;0;) (type 14)))
    (export (;15;) "rejection" (type 1))
    (export (;16;) "response" (type 5))
    (export (;17;) "failure" (type 7))
    (type (;18;) (variant (case "forward") (case "drop" string) (case "reject" 15) (case "respond" 16)))
    (export (;19;) "verdict" (type 18))
    (type (;20;) (result 19 (error 17)))
    (type (;21;) (func (result 20)))
    (export (;1;) "filter" (func 0) (func (type 21)))
  )
  (instance $hookgate:plugin/filter@0.1.0-shim-instance (;11;) (instantiate $hookgate:plugin/filter@0.1.0-shim-component
      (with "import-func-filter" (func $filter))
      (with "import-type-rejection" (type $rejection))
      (with "import-type-response" (type $response))
      (with "import-type-failure" (type $failure))
      (with "import-type-rejection0" (type $rejection))
      (with "import-type-response0" (type $response))
      (with "import-type-verdict" (type 17))
      (with "import-type-failure0" (type $failure))
    )
  )
  (export $hookgate:plugin/filter@0.1.0 (;12;) "hookgate:plugin/filter@0.1.0" (instance $hookgate:plugin/filter@0.1.0-shim-instance))
  (type (;24;) (own $delivery))
  (type (;25;) (list 24))
  (type (;26;) (result 25 (error $failure)))
  (type (;27;) (func (result 26)))
  (alias core export $main "hookgate:plugin/transform@0.1.0#transform" (core func $hookgate:plugin/transform@0.1.0#transform (;83;)))
  (func $transform (;43;) (type 27) (canon lift (core func $hookgate:plugin/transform@0.1.0#transform) (memory $memory) string-encoding=utf8))
  (component $hookgate:plugin/transform@0.1.0-shim-component (;2;)
    (type (;0;) (variant (case "temporary" string) (case "permanent" string)))
    (import "import-type-failure" (type (;1;) (eq 0)))
    (import "import-type-delivery" (type (;2;) (sub resource)))
    (import "import-type-delivery0" (type (;3;) (eq 2)))
    (type (;4;) (own 3))
    (type (;5;) (list 4))
    (import "import-type-failure0" (type (;6;) (eq 1)))
    (type (;7;) (result 5 (error 6)))
    (type (;8;) (func (result 7)))
    (import "import-func-transform" (func (;0;) (type 8)))
    (export (;9;) "failure" (type 1))
    (export (;10;) "delivery" (type 2))
    (type (;11;) (own 10))
    (type (;12;) (list 11))
    (type (;13;) (result 12 (error 9)))
    (type (;14;) (func (result 13)))
    (export (;1;) "transform" (func 0) (func (type 14)))
  )
  (instance $hookgate:plugin/transform@0.1.0-shim-instance (;13;) (instantiate $hookgate:plugin/transform@0.1.0-shim-component
      (with "import-func-transform" (func $transform))
      (with "import-type-failure" (type $failure))
      (with "import-type-delivery" (type $delivery))
      (with "import-type-delivery0" (type $delivery))
      (with "import-type-failure0" (type $failure))
    )
  )
  (export $hookgate:plugin/transform@0.1.0 (;14;) "hookgate:plugin/transform@0.1.0" (instance $hookgate:plugin/transform@0.1.0-shim-instance))
  (type (;28;) (func (result string)))
  (alias core export $main "hookgate:plugin/lifecycle@0.1.0#describe" (core func $hookgate:plugin/lifecycle@0.1.0#describe (;84;)))
  (func $describe (;44;) (type 28) (canon lift (core func $hookgate:plugin/lifecycle@0.1.0#describe) (memory $memory) string-encoding=utf8))
  (type (;29;) (tuple string string))
  (type (;30;) (list 29))
  (type (;31;) (func (param "config" string) (result 30)))
  (alias core export $main "hookgate:plugin/lifecycle@0.1.0#check" (core func $hookgate:plugin/lifecycle@0.1.0#check (;85;)))
  (func $check (;45;) (type 31) (canon lift (core func $hookgate:plugin/lifecycle@0.1.0#check) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (component $hookgate:plugin/lifecycle@0.1.0-shim-component (;3;)
    (type (;0;) (func (result string)))
    (import "import-func-describe" (func (;0;) (type 0)))
    (type (;1;) (tuple string string))
    (type (;2;) (list 1))
    (type (;3;) (func (param "config" string) (result 2)))
    (import "import-func-check" (func (;1;) (type 3)))
    (type (;4;) (func (result string)))
    (export (;2;) "describe" (func 0) (func (type 4)))
    (type (;5;) (tuple string string))
    (type (;6;) (list 5))
    (type (;7;) (func (param "config" string) (result 6)))
    (export (;3;) "check" (func 1) (func (type 7)))
  )
  (instance $hookgate:plugin/lifecycle@0.1.0-shim-instance (;15;) (instantiate $hookgate:plugin/lifecycle@0.1.0-shim-component
      (with "import-func-describe" (func $describe))
      (with "import-func-check" (func $check))
    )
  )
  (export $hookgate:plugin/lifecycle@0.1.0 (;16;) "hookgate:plugin/lifecycle@0.1.0" (instance $hookgate:plugin/lifecycle@0.1.0-shim-instance))
  (type (;32;) (func (param "config" string) (result string)))
  (alias core export $main "hookgate:plugin/golden@0.1.0#webhooks" (core func $hookgate:plugin/golden@0.1.0#webhooks (;86;)))
  (func $webhooks (;46;) (type 32) (canon lift (core func $hookgate:plugin/golden@0.1.0#webhooks) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (component $hookgate:plugin/golden@0.1.0-shim-component (;4;)
    (type (;0;) (func (param "config" string) (result string)))
    (import "import-func-webhooks" (func (;0;) (type 0)))
    (type (;1;) (func (param "config" string) (result string)))
    (export (;1;) "webhooks" (func 0) (func (type 1)))
  )
  (instance $hookgate:plugin/golden@0.1.0-shim-instance (;17;) (instantiate $hookgate:plugin/golden@0.1.0-shim-component
      (with "import-func-webhooks" (func $webhooks))
    )
  )
  (export $hookgate:plugin/golden@0.1.0 (;18;) "hookgate:plugin/golden@0.1.0" (instance $hookgate:plugin/golden@0.1.0-shim-instance))
  (@producers
    (processed-by "wit-component" "0.254.2")
  )
)

