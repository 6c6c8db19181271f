//! What operators see: one [`Event`] is one log line and one metric, written in one place.

mod event;
mod metrics;

pub use event::Event;
pub use metrics::{PluginMeters, RouteMeters, Telemetry, UpstreamMeters};
