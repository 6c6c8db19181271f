//! The contract (`wit/`) as Rust: the imports once, and one set of exports per stage, so that a
//! plugin announces the stages it has and no others.

wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package hookgate:sdk;
        world sdk {
            include hookgate:plugin/imports@0.1.0;
            include hookgate:plugin/with-kv@0.1.0;
            include hookgate:plugin/with-signing@0.1.0;
            import hookgate:plugin/deliveries@0.1.0;
        }
    ",
    world: "hookgate:sdk/sdk",
    ownership: Borrowing { duplicate_if_necessary: false },
    generate_all,
});

pub mod verify {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package hookgate:sdk; world verify { export hookgate:plugin/verify@0.1.0; }",
        world: "hookgate:sdk/verify",
        with: {
            "hookgate:plugin/types@0.1.0": crate::bindings::hookgate::plugin::types,
        },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_verify",
        default_bindings_module: "::hookgate_sdk::bindings::verify",
    });
}

pub mod filter {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package hookgate:sdk; world filter { export hookgate:plugin/filter@0.1.0; }",
        world: "hookgate:sdk/filter",
        with: {
            "hookgate:plugin/types@0.1.0": crate::bindings::hookgate::plugin::types,
        },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_filter",
        default_bindings_module: "::hookgate_sdk::bindings::filter",
    });
}

pub mod transform {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package hookgate:sdk; world transform { export hookgate:plugin/transform@0.1.0; }",
        world: "hookgate:sdk/transform",
        with: {
            "hookgate:plugin/types@0.1.0": crate::bindings::hookgate::plugin::types,
            "hookgate:plugin/deliveries@0.1.0": crate::bindings::hookgate::plugin::deliveries,
        },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_transform",
        default_bindings_module: "::hookgate_sdk::bindings::transform",
    });
}

pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package hookgate:sdk; world lifecycle { export hookgate:plugin/lifecycle@0.1.0; }",
        world: "hookgate:sdk/lifecycle",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        default_bindings_module: "::hookgate_sdk::bindings::lifecycle",
    });
}
