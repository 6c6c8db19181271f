//! Behaviour of the real binary over real sockets, in the order of a webhook's life.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::string_slice, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "neighbours end with their test, not in a drain"
)]
#![expect(
    unreachable_pub,
    reason = "`support` is a library of this binary's own"
)]

mod support;

mod tls;

mod limits;

mod certificates;
mod frames;
mod published;
mod routing;
mod secrets;
mod tokens;
mod verify;

mod batches;
mod cloudevents;
mod handshake;
mod providers;

mod filter;
mod order;
mod repeats;
mod signing;
mod transform;

mod guests;
mod kv;
mod shadow;

mod forwarded;

mod delivery;
mod distrust;
mod hostile;
mod streams;

mod breaker;
mod buffer;
mod reload;
mod replay;
mod strays;
mod waits;
mod whereabouts;

mod drain;
mod replace;

mod full_disk;
mod spool;
mod spool_damage;
mod spool_faults;
mod stranded;

mod admin;
mod cli;
mod explain;
mod plugin_inspect;
mod plugin_new;
mod plugin_test;
mod recipes;
