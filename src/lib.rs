//! Hookgate: the reverse proxy that knows what a webhook is. This page is the map of the house.
//!
//! # The life of a webhook
//!
//! ```text
//! sender ─▶ listener ─▶ gate ─▶ route ─▶ plugin (verify ▸ filter ▸ transform) ─▶ delivery ─▶ upstream
//!           TCP TLS     read    match    one fresh instance per webhook          attempt,
//!           h1 h2       bound   limits   bounded in time, memory, output         buffer, retry
//!                         │                                                         │
//!                         └───────────── answer to the sender ◀──── ack contract ───┘
//! ```
//!
//! Around it stand [`config`] (TOML becomes a `Plan`), [`admin`] (what operators ask), [`telemetry`]
//! (what they are told), [`drain`] (the orderly end) and [`server`] (which wires them all). [`cli`] is
//! the command line.
//!
//! Start reading at `gate/mod.rs`: the story of one webhook on one screen.
//!
//! # Rooms, from the top; each imports only rooms below it
//!
//! | room | what lives there |
//! |---|---|
//! | [`cli`] | commands; the only room that prints |
//! | [`server`] | bind, start, reload, drain |
//! | [`config`] | the file as written, the plan as meant, problems with their place and cure |
//! | [`admin`] | liveness, metrics, state, the page |
//! | [`gate`] | intake, judge, admit, reply; the only table of statuses |
//! | [`fetch`] | keys that their owners publish, fetched by the host |
//! | [`delivery`] | buffer, retries, attempts, connections to upstreams |
//! | [`spool`] | rows that survive the process; the only room that names the engine |
//! | [`plugin`] | the sandbox and its contract; the only room that names wasmtime |
//! | [`listener`] | TCP, TLS, HTTP; knows nothing of webhooks |
//! | [`http1`] | HTTP/1.1 as bytes, for both hops; no sockets |
//! | [`message`] | what HTTP says in either version: heads, fields, responses |
//! | [`telemetry`] | every event that is ever logged or counted |
//! | [`route`] | patterns to values of `T`; no I/O |
//! | [`webhook`], [`secret`], [`preset`], [`drain`] | the words themselves |
//!
//! # Threads
//!
//! One control thread (signals, reload, admin) and one worker thread a core. A worker has its own
//! runtime, accept socket and upstream connections; a webhook never leaves its worker, and what workers
//! share are `Arc`s and atomics. Guests run on the worker too and yield at every tick of their clock, so
//! that a slow plugin stalls nobody.
//!
//! # Invariants
//!
//! - Nothing reaches an upstream without [`plugin::Accepted`], and only [`plugin::Chain`] makes one.
//! - A 2xx means delivered, held under the route's ack contract, or dropped by a filter on purpose.
//! - A webhook is immutable; what a transform changes is an overlay, applied when a head is written.
//! - A secret never enters a sandbox, a log line or a dump; plugins know keys by name.
//! - A plugin's failure is never a verdict, and a verifier's failure refuses.
//! - Every queue, body, head, wait and answer has a bound with a name.
//! - After a delivery was admitted, the sender's hang-up cancels nothing.
//! - What decides (buffer, retry, pace) has no clock, no dice and no sockets; they come as arguments.
//! - A refused reload changes nothing: the new plan is complete before the old one is let go.
//! - HTTP/1.1 is ours ([`http1`]); `hyper` speaks HTTP/2, in [`listener`]'s `h2` and [`delivery`]'s `pool` and `two` only.
//!
//! `tests/house.rs` holds the import rules.

pub mod admin;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod drain;
pub mod fetch;
pub mod gate;
pub mod http1;
pub mod listener;
pub mod message;
pub mod plugin;
pub mod preset;
pub mod route;
pub mod secret;
pub mod server;
pub mod spool;
pub mod telemetry;
pub mod webhook;
