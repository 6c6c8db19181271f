//! Hookgate: the reverse proxy that knows what a webhook is.

pub mod config;
pub mod delivery;
pub mod drain;
pub mod listener;
pub mod plugin;
pub mod preset;
pub mod route;
pub mod secret;
pub mod telemetry;
pub mod webhook;
