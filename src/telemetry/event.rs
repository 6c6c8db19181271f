//! All that is ever logged or counted: what can happen, and in [`Telemetry::emit`] the line and the
//! metric of each.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::{Level, debug, error, info, trace, warn};

use super::checking::Checking;
use super::ending::EndEvent;
use super::flood::Kind;
use super::lines::noisy;
use super::meters::{PluginMeters, RouteMeters, UpstreamMeters};
use super::metrics::Telemetry;
use super::operator::OperatorEvent;
use super::show::ms;
use super::spool::SpoolEvent;
use crate::webhook::{Webhook, WebhookId};

/// Something happened. Emitting it is all a room does about telemetry.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "a field is its name: one word per thing, and the variant says what it is about"
)]
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
    /// A webhook was answered. `outcome` is one of: delivered, final (an upstream's own refusal, passed
    /// on), held, dropped, responded, rejected, duplicate, failed (plugin), unkept (spool), full, draining, unavailable
    /// (upstream).
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
        /// Bytes over all memories of its instance, which never shrink.
        memory: usize,
    },
    /// A plugin had a signature checked. Only for an ear: never logged, never counted.
    SignatureChecked(&'a Checking<'a>),
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
        level: Level,
        message: &'a str,
        fields: &'a [(String, String)],
    },
    /// One try at a delivery ended. `outcome` is one of: delivered, final, status (see `status`),
    /// unreachable, reset, timeout, tls, protocol, too_large.
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
    /// The plan in force has no place for a delivery any more; it is kept, and counted until
    /// [`Unstranded`](Event::Unstranded).
    Stranded {
        id: WebhookId,
        route: &'a str,
        upstream: &'a str,
    },
    /// One of them has a place again, or has ended (gauge only).
    Unstranded,
    /// The delivery is held beyond what its sender waits for: an attempt failed, or its upstream has not
    /// answered yet. Not for `early`, which holds everything.
    Held {
        id: WebhookId,
        route: &'a str,
        upstream: &'a str,
        /// That failed.
        attempts: u32,
        /// Why the last one did; none where no attempt has ended.
        reason: Option<&'a str>,
    },
    /// An upstream failed so often that it is left alone; then a probe succeeded.
    BreakerOpened {
        upstream: &'a UpstreamMeters,
        failures: u32,
        open: Duration,
        reason: &'a str,
    },
    BreakerClosed {
        upstream: &'a UpstreamMeters,
    },
    /// How an upstream is at the moment (gauges only).
    UpstreamHealth {
        upstream: &'a UpstreamMeters,
        in_flight: u32,
        breaker_closed: bool,
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
    /// How many dead letters are kept (gauge only).
    DeadLetters {
        kept: usize,
    },
    /// Keys were fetched from where their owner publishes them, or were not: then the old ones stay.
    KeysFetched {
        source: &'a str,
        keys: usize,
        took: Duration,
    },
    KeysNotFetched {
        source: &'a str,
        reason: &'a str,
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
    /// An operator asked for something.
    Operator(OperatorEvent<'a>),
    /// Something about the spool.
    Spool(SpoolEvent<'a>),
    /// Something legal but dangerous in the configuration.
    Warning {
        message: &'a str,
    },
    /// Something about the orderly end.
    End(EndEvent<'a>),
}

impl Telemetry {
    /// Counts and logs. Costs a few atomic adds where the level is off.
    #[expect(
        clippy::too_many_lines,
        reason = "one table: the line and the metric of each event"
    )]
    pub fn emit(&self, event: &Event<'_>) {
        self.tell(event);
        let meters = &*self.meters;
        match *event {
            Event::Listening {
                listener,
                address,
                tls,
            } => {
                info!(target: "hookgate", listener, %address, tls, "listening");
            }
            Event::Ready {
                routes,
                plugins,
                took,
            } => {
                self.plan_in_force();
                info!(target: "hookgate", routes, plugins, took_ms = ms(took), "ready");
            }
            Event::HandshakeFailed { peer, reason } => {
                meters.handshakes_failed.fetch_add(1, Relaxed);
                noisy!(self, Kind::Handshake, "hookgate::listener", Level::INFO,
                    sender = %peer, reason, "handshake failed");
            }
            Event::AcceptFailed { reason } => {
                meters.accepts_failed.fetch_add(1, Relaxed);
                noisy!(
                    self,
                    Kind::Accept,
                    "hookgate::listener",
                    Level::ERROR,
                    reason,
                    "cannot accept connections"
                );
            }
            Event::ConnectionOpened => {
                meters.connections.fetch_add(1, Relaxed);
            }
            Event::ConnectionClosed => {
                meters.connections.fetch_sub(1, Relaxed);
            }
            Event::Unrouted {
                id,
                sender,
                status,
                reason,
            } => {
                meters.unrouted.count(&status.to_string());
                noisy!(self, Kind::Unrouted, "hookgate::access", Level::INFO,
                    %id, %sender, status, reason, "call unrouted");
            }
            Event::Answered {
                webhook,
                route,
                status,
                outcome,
                plugin,
                reason,
                took,
            } => {
                route.answered(outcome, status, took);
                self.log_answer(webhook, status, outcome, plugin, reason, took);
            }
            Event::Judged {
                plugin,
                stage,
                verdict,
                took,
                memory: _,
            } => {
                plugin.judged(stage, verdict, took);
                trace!(target: "hookgate::plugin", plugin = &*plugin.name, route = &*plugin.route,
                    stage, verdict, took_ms = ms(took), "plugin judged");
            }
            Event::SignatureChecked(_) => {}
            Event::KeyMatched {
                id,
                plugin,
                key,
                label,
            } => {
                plugin.keys.count(key, label);
                debug!(target: "hookgate::plugin", %id, plugin = &*plugin.name,
                    route = &*plugin.route, key, label, "key matched");
            }
            Event::PluginFailed {
                id,
                plugin,
                stage,
                kind,
                detail,
                policy,
            } => {
                plugin.failures.count(kind);
                noisy!(self, Kind::PluginFailure, "hookgate::plugin", Level::ERROR,
                    %id, plugin = &*plugin.name, route = &*plugin.route, stage, kind, detail, policy,
                    "plugin failed");
            }
            Event::GuestSaid {
                id,
                plugin,
                level,
                message,
                fields,
            } => {
                self.log_guest(id, plugin, level, message, fields);
            }
            Event::Attempted {
                id,
                route,
                upstream,
                attempt,
                outcome,
                status,
                reason,
                took,
            } => {
                upstream.attempted(outcome, status, took);
                macro_rules! delivered {
                    ($write:ident!($($to:tt)*)) => {
                        $write!($($to)* %id, route, upstream = &*upstream.name, attempt, status,
                            took_ms = ms(took), "attempt delivered")
                    };
                }
                if outcome == "delivered" && attempt <= 1 {
                    delivered!(debug!(target: "hookgate::delivery",));
                } else if outcome == "delivered" && is_wanted_whole() {
                    delivered!(info!(target: "hookgate::delivery",));
                } else if outcome == "delivered" {
                    // Whoever read that it failed reads that it is well now.
                    delivered!(noisy!(
                        self,
                        Kind::Recovered,
                        "hookgate::delivery",
                        Level::INFO,
                    ));
                } else {
                    noisy!(self, Kind::Attempt, "hookgate::delivery", Level::WARN,
                        %id, route, upstream = &*upstream.name, attempt, outcome, status, reason,
                        took_ms = ms(took), "attempt failed");
                }
            }
            Event::Waiting {
                id,
                upstream,
                attempt,
                next_in,
            } => {
                debug!(target: "hookgate::delivery", %id, upstream = &*upstream.name, attempt,
                    next_in_ms = ms(next_in), "delivery waits");
            }
            Event::Stranded {
                id,
                route,
                upstream,
            } => {
                meters.deliveries_stranded.fetch_add(1, Relaxed);
                noisy!(self, Kind::Held, "hookgate::delivery", Level::WARN, %id, route, upstream,
                    "delivery stranded: its route or its upstream is gone from the configuration");
            }
            Event::Unstranded => {
                meters.deliveries_stranded.fetch_sub(1, Relaxed);
            }
            Event::Held {
                id,
                route,
                upstream,
                attempts,
                reason,
            } => {
                noisy!(self, Kind::Held, "hookgate::delivery", Level::INFO,
                    %id, route, upstream, attempts, reason, "delivery held");
            }
            Event::BreakerOpened {
                upstream,
                failures,
                open,
                reason,
            } => {
                upstream.breaker_opened();
                warn!(target: "hookgate::delivery", upstream = &*upstream.name, failures, reason,
                    open_ms = ms(open), "breaker opened, deliveries wait");
            }
            Event::BreakerClosed { upstream } => {
                info!(target: "hookgate::delivery", upstream = &*upstream.name, "breaker closed");
            }
            Event::UpstreamHealth {
                upstream,
                in_flight,
                breaker_closed,
            } => upstream.is_at(in_flight, breaker_closed),
            Event::GaveUp {
                id,
                route,
                upstream,
                attempts,
                reason,
            } => {
                route.gave_up();
                error!(target: "hookgate::delivery", %id, route = &*route.name,
                    upstream = &*upstream.name, attempts, reason, "delivery given up");
            }
            Event::Buffered { deliveries, bytes } => {
                meters.deliveries_waiting.store(deliveries as u64, Relaxed);
                meters.buffer_bytes.store(bytes as u64, Relaxed);
            }
            Event::DeadLetters { kept } => meters.dead_letters.store(kept as u64, Relaxed),
            Event::KeysFetched { source, keys, took } => {
                meters.key_fetches.count("fetched");
                debug!(target: "hookgate", source, keys, took_ms = ms(took), "keys fetched");
            }
            Event::KeysNotFetched { source, reason } => {
                meters.key_fetches.count("failed");
                warn!(target: "hookgate", source, reason, "keys not fetched, the old ones stay");
            }
            Event::Reloaded { took, summary } => {
                meters.reloads.count("applied");
                self.plan_in_force();
                info!(target: "hookgate", summary, took_ms = ms(took), "configuration reloaded");
            }
            Event::ReloadRefused { problems, report } => {
                meters.reloads.count("refused");
                error!(target: "hookgate", problems, report,
                    "reload refused, the configuration in force stays");
            }
            Event::Operator(ref event) => self.tell_of_operator(event),
            Event::Spool(ref event) => self.tell_of_spool(event),
            Event::Warning { message } => warn!(target: "hookgate", "{message}"),
            Event::End(ref event) => self.tell_of_end(event),
        }
    }
}

/// Whether somebody asked for every attempt: then none is left out.
fn is_wanted_whole() -> bool {
    tracing::enabled!(target: "hookgate::delivery", Level::DEBUG)
}
