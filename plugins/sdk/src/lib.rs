//! What a Hookgate plugin in Rust is written with: the contract as Rust types, an allocator for
//! instances that live for one webhook, and a reader for the plugin's configuration.
//!
//! A plugin is a `cdylib` with a type that implements the [`Guest`](verify::Guest) trait of each
//! stage it has, and one export line per stage. This one asks for a shared secret in a header:
//!
//! ```
//! use hookgate_sdk::verify::{Failure, Guest, Rejection, Verdict};
//! use hookgate_sdk::{crypto, webhook};
//!
//! struct Plugin;
//!
//! impl Guest for Plugin {
//!     fn verify() -> Result<Verdict, Failure> {
//!         let token = webhook::header("x-token").unwrap_or_default();
//!         match crypto::equals_secret("token", &token) {
//!             Ok(true) => Ok(Verdict::Accept),
//!             Ok(false) => Ok(Verdict::Reject(Rejection { status: 401, reason: "wrong token".into() })),
//!             Err(error) => Err(Failure::Permanent(error.to_string())),
//!         }
//!     }
//! }
//!
//! # #[cfg(target_arch = "wasm32")]
//! hookgate_sdk::export_verify!(Plugin);
//! ```
//!
//! [`export_filter!`], [`export_transform!`] and [`export_lifecycle!`] are the others; [`stage!`] makes
//! all of it from two functions. What the plugin does not call, its component does not import.

#[doc(hidden)] // named by the export macros; use the re-exports below
pub mod bindings;
mod bump;

pub mod base64;
pub mod header;
pub mod json;
pub mod key;
pub mod known;
pub mod problem;
pub mod slot;
pub mod span;
mod stage;
pub mod template;

pub use bindings::filter::{export_filter, exports::hookgate::plugin::filter};
pub use bindings::hookgate::plugin::{
    config, crypto, deliveries, kv, log, metrics, signing, webhook,
};
pub use bindings::lifecycle::{export_lifecycle, exports::hookgate::plugin::lifecycle};
pub use bindings::transform::{export_transform, exports::hookgate::plugin::transform};
pub use bindings::verify::{export_verify, exports::hookgate::plugin::verify};
pub use stage::assert_described;

/// Whether the body is one JSON document. It costs a copy of the body into the plugin, so ask only
/// where a missing value has to be told from a body that holds no values at all.
#[must_use]
pub fn body_is_json() -> bool {
    webhook::json("").is_some()
}

/// The value at an RFC 6901 pointer of the JSON body as text: strings unquoted, all else as JSON.
#[must_use]
pub fn json_text(pointer: &str) -> Option<String> {
    // One reading of the body; the host's own unquoting would be a second one for what is no string.
    webhook::json(pointer).map(json::unquoted)
}
