//! Plugins of the tests: core modules as text, made into components.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Worlds beside those of the contract.
const WORLDS: &str = "package test:guests;
world verify-and-signing {
    include hookgate:plugin/verify-plugin@0.1.0;
    include hookgate:plugin/with-signing@0.1.0;
}
world filter-and-kv {
    include hookgate:plugin/filter-plugin@0.1.0;
    include hookgate:plugin/with-kv@0.1.0;
}
world verify-and-golden {
    include hookgate:plugin/verify-plugin@0.1.0;
    include hookgate:plugin/with-golden@0.1.0;
}
world filter-and-lifecycle {
    include hookgate:plugin/filter-plugin@0.1.0;
    include hookgate:plugin/with-lifecycle@0.1.0;
}
world verify-and-telepathy {
    include hookgate:plugin/verify-plugin@0.1.0;
    import telepathy;
}
interface telepathy { ask: func(); }
";

/// The component of a module, for a world of the contract or of [`WORLDS`].
pub fn guest(world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/wit");
    let (contract, _) = resolve.push_path(contract).unwrap();
    let own = resolve.push_str("worlds.wit", WORLDS).unwrap();
    let world = resolve.select_world(&[contract, own], Some(world)).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}
