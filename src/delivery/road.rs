//! What an attempt goes over: sockets, the world of the simulation, or nothing where all the rest is measured.

use std::fmt;
use std::future::Future;

use tokio::time::Instant;

use super::outcome::Outcome;
use super::{Delivery, attempt};
use crate::drain::Watch;
use crate::telemetry::Telemetry;

/// Makes attempts. Everything above it (buffer, schedule, order, breaker, hands, drain) is the same code
/// whatever it goes over, so what holds in the simulation holds on the wire.
pub trait Road: fmt::Debug + Send + Sync + 'static {
    /// Tries `delivery` once, over the connections of `worker`, until `not_after` at most. Dropping the
    /// future ends the attempt.
    fn attempt(
        &self,
        delivery: &Delivery,
        worker: usize,
        not_after: Option<Instant>,
        watch: &Watch,
        telemetry: &Telemetry,
    ) -> impl Future<Output = Outcome> + Send;
}

/// The real one.
#[derive(Clone, Copy, Debug)]
pub struct Sockets;

impl Road for Sockets {
    async fn attempt(
        &self,
        delivery: &Delivery,
        worker: usize,
        not_after: Option<Instant>,
        watch: &Watch,
        telemetry: &Telemetry,
    ) -> Outcome {
        attempt::make(delivery, worker, not_after, watch, telemetry).await
    }
}
