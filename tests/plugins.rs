//! Guests against the host: what they may, what they may not, and what the operator reads about it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

#[path = "plugins/compat.rs"]
mod compat;
#[path = "plugins/forgery.rs"]
mod forgery;
#[path = "plugins/hostile.rs"]
mod hostile;
#[path = "plugins/kv.rs"]
mod kv;
#[path = "plugins/load.rs"]
mod load;
#[path = "plugins/metrics.rs"]
mod metrics;
#[path = "plugins/reuse.rs"]
mod reuse;
#[path = "plugins/senders.rs"]
mod senders;
#[path = "plugins/shadow.rs"]
mod shadow;
#[path = "plugins/traps.rs"]
mod traps;
#[path = "plugins/vectors.rs"]
mod vectors;
#[path = "plugins/verdict.rs"]
mod verdict;
#[path = "plugins/world.rs"]
mod world;
