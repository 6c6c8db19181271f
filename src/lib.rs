//! Hookgate: the reverse proxy that knows what a webhook is.

pub mod admin;
pub mod delivery;
pub mod drain;
pub mod plugin;
pub mod secret;
pub mod telemetry;
pub mod webhook;
