//! All that is ever logged or counted.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::metrics::{PluginMeters, RouteMeters, UpstreamMeters};
use crate::webhook::{Webhook, WebhookId};

/// Something happened. Emitting it is all a room does about telemetry.
#[derive(Debug)]
pub enum Event<'a> {
    /// A listener is bound (at start): `listener` is `webhooks` or `admin`.
    Listening {
        listener: &'static str,
        address: SocketAddr,
        tls: bool,
    },
    /// The process is ready to take webhooks.
    Ready {
        routes: usize,
        plugins: usize,
        took: Duration,
    },
    /// A TLS handshake failed or took too long.
    HandshakeFailed {
        peer: IpAddr,
        reason: &'a str,
    },
    /// Accepting failed (out of descriptors, ...); the listener backs off.
    AcceptFailed {
        reason: &'a str,
    },
    /// A connection was opened / closed (gauge only).
    ConnectionOpened,
    ConnectionClosed,
    /// A call that never became a webhook of a route: no route, wrong method, unreadable, ...
    Unrouted {
        id: WebhookId,
        sender: IpAddr,
        status: u16,
        reason: &'a str,
    },
    /// A webhook was answered. `outcome` is one of: delivered, held, dropped, responded, rejected,
    /// duplicate, failed (plugin), full, unavailable (upstream), refused (limits).
    Answered {
        webhook: &'a Webhook,
        route: &'a RouteMeters,
        status: u16,
        outcome: &'static str,
        /// The plugin that decided, if one did.
        plugin: Option<&'a str>,
        /// For the log only; never a body, secret or signature.
        reason: Option<&'a str>,
        took: Duration,
    },
    /// A stage gave its verdict (accept, forward, drop, reject, respond, deliveries).
    Judged {
        plugin: &'a PluginMeters,
        stage: &'static str,
        verdict: &'static str,
        took: Duration,
    },
    /// A key matched a signature: evidence for a rotation.
    KeyMatched {
        id: WebhookId,
        plugin: &'a PluginMeters,
        key: &'a str,
        label: &'a str,
    },
    /// A plugin could not do its work; `policy` is refuse or skip.
    PluginFailed {
        id: WebhookId,
        plugin: &'a PluginMeters,
        stage: &'static str,
        kind: &'static str,
        detail: &'a str,
        policy: &'static str,
    },
    /// A guest wrote a line (bounded, escaped); level is its own.
    GuestSaid {
        id: WebhookId,
        plugin: &'a PluginMeters,
        level: tracing::Level,
        message: &'a str,
        fields: &'a [(String, String)],
    },
    /// One try at a delivery ended. `outcome`: delivered, status (see `status`), refused, reset, timeout, tls, ...
    Attempted {
        id: WebhookId,
        route: &'a str,
        upstream: &'a UpstreamMeters,
        attempt: u32,
        outcome: &'static str,
        status: Option<u16>,
        reason: Option<&'a str>,
        took: Duration,
    },
    /// The delivery waits for its next attempt.
    Waiting {
        id: WebhookId,
        upstream: &'a UpstreamMeters,
        attempt: u32,
        next_in: Duration,
    },
    /// The delivery was given up and is a dead letter now.
    GaveUp {
        id: WebhookId,
        route: &'a RouteMeters,
        upstream: &'a UpstreamMeters,
        attempts: u32,
        reason: &'a str,
    },
    /// The buffer's fill changed (gauges only).
    Buffered {
        deliveries: usize,
        bytes: usize,
    },
    /// A reload was applied or refused.
    Reloaded {
        took: Duration,
        summary: &'a str,
    },
    ReloadRefused {
        problems: usize,
        report: &'a str,
    },
    /// Something legal but dangerous in the configuration.
    Warning {
        message: &'a str,
    },
    /// The end was asked for.
    Draining {
        connections: usize,
        deliveries: usize,
        grace: Duration,
    },
    /// An acknowledged delivery is lost with the process.
    LeftBehind {
        id: WebhookId,
        route: &'a str,
        upstream: &'a str,
    },
    /// The end.
    Drained {
        left: usize,
        took: Duration,
    },
}
