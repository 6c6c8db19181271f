;; world: test:guests/no-stage
;; A component, but no plugin.
(module (func (export "greet")))
