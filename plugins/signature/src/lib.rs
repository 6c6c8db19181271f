//! The bundled plugin `signature`: is the webhook from whom it says it is? Every scheme is
//! configuration (`scheme`); the host expands presets and keeps the keys. A signature is refused for
//! being absent or ambiguous (`place`, `header`), a timestamp for its age (`window`), and only then
//! the host checks the signature over the message that `message` describes and `facts` fills. A
//! sender that asks who is there is answered by `handshake`.
//!
//! Whatever a sender can send is at worst a rejection; a failure is the operator's or the host's.

pub mod check;
pub mod form;
pub mod header;
pub mod message;
pub mod place;
pub mod scheme;
pub mod window;

mod body;
mod facts;
mod handshake;
mod judge;

use hookgate_sdk::{config, lifecycle, verify};

/// The exports.
pub struct Plugin;

#[cfg(target_arch = "wasm32")]
mod export {
    use super::Plugin;
    hookgate_sdk::export_verify!(Plugin);
    hookgate_sdk::export_lifecycle!(Plugin);
}

impl verify::Guest for Plugin {
    fn verify() -> Result<verify::Verdict, verify::Failure> {
        judge::judge(&config::get())
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
