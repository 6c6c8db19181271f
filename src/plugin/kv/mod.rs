//! What a plugin remembers on a route: bounded, in memory, and written only by webhooks that were taken.
//!
//! A stage writes into [`Changes`] of its own; those of stages that succeed are collected for the
//! webhook; and [`Writes`] travels with the webhook's deliveries until all of them are accepted. Only
//! then is anything seen by others. So a webhook that is answered 503 is not remembered as seen, which
//! is the classic way in which a dedupe loses webhooks.

mod changes;
mod store;
mod writes;

pub(super) use self::changes::{Changes, increment};
pub(super) use self::store::{Store, Stores};
pub use self::writes::Writes;
pub(super) use self::writes::collect;

/// Keys are ids or URLs.
const KEY_BYTES_MAX: usize = 1 << 10;
/// A value is a mark or a small state, not a document.
const VALUE_BYTES_MAX: usize = 64 << 10;
/// Keys that one webhook may change with one plugin: what is held back until the acceptance is memory.
const CHANGES_MAX: usize = 64;
