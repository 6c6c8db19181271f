//! The bundled plugin `json-template`: one delivery with a JSON body made from parts of the
//! webhook. The body in the configuration is JSON itself; its strings are templates (`slot`), and
//! what is put into them is escaped for the place where it lands (`render`, `path`), so a sender
//! cannot break out of a string, a header or a path segment.

pub mod check;
pub mod path;
pub mod render;
pub mod slot;

mod make;

use hookgate_sdk::transform::{self, Failure};
use hookgate_sdk::{config, deliveries::Delivery, lifecycle};

/// The exports.
pub struct Plugin;

#[cfg(target_arch = "wasm32")]
mod export {
    use super::Plugin;
    hookgate_sdk::export_transform!(Plugin);
    hookgate_sdk::export_lifecycle!(Plugin);
}

impl transform::Guest for Plugin {
    fn transform() -> Result<Vec<Delivery>, Failure> {
        make::make(&config::get())
            .map(|delivery| vec![delivery])
            .map_err(Failure::Permanent)
    }
}

impl lifecycle::Guest for Plugin {
    fn describe() -> String {
        include_str!("describe.json").into()
    }

    fn check(config: String) -> Vec<(String, String)> {
        check::check(&config)
    }
}
