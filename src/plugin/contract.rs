//! The contract in Rust: what `wit/hookgate.wit` becomes, and nothing else.

mod wit {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "package hookgate:host;
            world all {
                include hookgate:plugin/plugin@0.1.0;
                include hookgate:plugin/with-signing@0.1.0;
                include hookgate:plugin/with-kv@0.1.0;
            }",
        world: "hookgate:host/all",
        imports: { default: trappable },
        exports: { default: async },
        with: { "hookgate:plugin/deliveries.delivery": crate::plugin::host::Draft },
        require_store_data_send: true,
    });
}

pub(super) use wit::exports::hookgate::plugin::{filter, verify};
pub(super) use wit::hookgate::plugin::{
    config, crypto, deliveries, kv, log, metrics, signing, types, webhook,
};
