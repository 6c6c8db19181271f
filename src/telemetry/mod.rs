//! What operators see: one [`Event`] is one log line and one metric, written in one place.
//!
//! [`Telemetry`] is passed as an argument; there is no global registry, so that two of them in one
//! process (tests) never mix. The meters of a route, an upstream or a plugin are resolved once at load;
//! from there on counting is an atomic add. Log lines go through `tracing`, set up once by [`log`].

mod checking;
mod ending;
mod escape;
mod event;
mod exposition;
mod flood;
mod guest;
mod lines;
pub mod log;
mod meters;
mod metrics;
mod operator;
mod page;
mod process;
mod shadow;
mod show;
mod spool;
mod tally;

pub use checking::{Checked, Checking, Signed};
pub use ending::EndEvent;
pub use event::Event;
pub use exposition::Exposition;
pub use guest::{Described, GuestMetrics};
pub use meters::{PluginMeters, RouteMeters, UpstreamMeters};
pub use metrics::Telemetry;
pub use operator::{Operator, OperatorEvent};
pub use shadow::{Difference, ShadowMeters};
pub use spool::SpoolEvent;

#[cfg(test)]
mod tests;
