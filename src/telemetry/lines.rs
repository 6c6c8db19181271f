//! Log lines whose level is to be decided, or that could be asked for at any rate.

use std::time::Duration;

use tracing::Level;

use super::flood::Kind;
use super::meters::PluginMeters;
use super::metrics::Telemetry;
use super::show::{Pairs, ms};
use crate::webhook::{Webhook, WebhookId};

/// Writes a line that could be asked for at any rate, unless there were too many of its kind. Nothing is
/// evaluated, and the clock is not read, when the level is off.
macro_rules! noisy {
    ($telemetry:ident, $kind:expr, $target:literal, $level:expr, $($line:tt)*) => {
        if tracing::enabled!(target: $target, $level) && $telemetry.admits($kind) {
            tracing::event!(target: $target, $level, $($line)*);
        }
    };
}
pub(super) use noisy;

impl Telemetry {
    /// A success is only for who asks; a refusal is the sender's business, the rest is ours.
    pub(super) fn log_answer(
        &self,
        webhook: &Webhook,
        status: u16,
        outcome: &'static str,
        plugin: Option<&str>,
        reason: Option<&str>,
        took: Duration,
    ) {
        // The target is left out: paths and queries of webhooks carry tokens.
        macro_rules! line {
            ($level:expr, $write:ident) => {
                $write!($level, id = %webhook.id, route = &*webhook.route, status, outcome, plugin,
                    reason, method = webhook.method.as_str(), sender = %webhook.sender,
                    body_bytes = webhook.body.len(), took_ms = ms(took), "webhook {outcome}")
            };
        }
        macro_rules! always {
            ($level:expr, $($line:tt)*) => {
                tracing::event!(target: "hookgate::access", $level, $($line)*)
            };
        }
        macro_rules! limited {
            ($level:expr, $($line:tt)*) => {
                noisy!(self, Kind::Refused, "hookgate::access", $level, $($line)*)
            };
        }
        match outcome {
            "delivered" | "held" | "dropped" | "responded" | "duplicate" => {
                line!(Level::DEBUG, always);
            }
            "rejected" | "refused" => line!(Level::INFO, limited),
            _ => line!(Level::WARN, limited),
        }
    }

    /// A guest's words are a field and never the sentence, so that they cannot pass for ours.
    pub(super) fn log_guest(
        &self,
        id: WebhookId,
        plugin: &PluginMeters,
        level: Level,
        message: &str,
        fields: &[(String, String)],
    ) {
        macro_rules! line {
            ($level:expr) => {
                noisy!(self, Kind::Guest, "hookgate::guest", $level,
                    %id, plugin = &*plugin.name, route = &*plugin.route, said = message,
                    with = (!fields.is_empty()).then(|| tracing::field::display(Pairs(fields))),
                    "plugin said")
            };
        }
        match level {
            Level::ERROR => line!(Level::ERROR),
            Level::WARN => line!(Level::WARN),
            Level::INFO => line!(Level::INFO),
            Level::DEBUG => line!(Level::DEBUG),
            Level::TRACE => line!(Level::TRACE),
        }
    }
}
