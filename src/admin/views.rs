//! What admin shows, as plain values: names, counts and times; never a secret of ours, and a body only
//! where one dead letter is asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::telemetry::{Difference, ShadowMeters};
use crate::webhook::WebhookId;

/// The plan in force and how full the buffer is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StateView {
    /// In the order of the file.
    pub routes: Vec<RouteView>,
    /// By name.
    pub upstreams: Vec<UpstreamView>,
    /// How full it is.
    pub buffer: BufferView,
    /// How many dead letters are kept.
    pub dead_letters: usize,
}

/// One route.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RouteView {
    /// In the configuration.
    pub name: String,
    /// Where it is not for every host.
    pub host: Option<String>,
    /// The pattern.
    pub path: String,
    /// What its 2xx means: `upstream`, `buffered` or `early`.
    pub ack: &'static str,
    /// By name.
    pub upstreams: Vec<String>,
    /// By name, in the order in which they run.
    pub plugins: Vec<String>,
}

/// One upstream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpstreamView {
    /// In the configuration.
    pub name: String,
    /// Without what a URL may hide (user name and password).
    pub url: String,
    /// Attempts under way.
    pub in_flight: u32,
    /// How many there may be.
    pub concurrency: u32,
    /// Whether it is left alone: `closed`, `open` or `half-open`.
    pub breaker: &'static str,
}

/// The buffer's fill.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct BufferView {
    /// That wait.
    pub deliveries: usize,
    /// Past it, webhooks are answered 503.
    pub deliveries_max: usize,
    /// That they hold.
    pub bytes: usize,
    /// Past it, webhooks are answered 503.
    pub bytes_max: usize,
}

/// A delivery that was given up.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetterView {
    /// The webhook's.
    pub id: String,
    /// By name.
    pub route: String,
    /// By name.
    pub upstream: String,
    /// Which one of several that were made of the webhook, from 0, as in `hookgate-part`; nothing where it is
    /// the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<u16>,
    /// That were made.
    pub attempts: u32,
    /// Why the last one failed, or why there was no other.
    pub reason: String,
    /// When the webhook arrived.
    pub arrived_at: Timestamp,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// How the last attempts failed.
    pub tried: Vec<TriedView>,
    /// It stays in the spool: the configuration has no place for it.
    #[serde(rename = "stranded", skip_serializing_if = "is_false")]
    pub is_stranded: bool,
    /// What was received; only where one webhook is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookView>,
}

/// An attempt that failed.
#[derive(Clone, Debug, Serialize)]
pub struct TriedView {
    /// Counted from 1.
    pub attempt: u32,
    /// From the webhook's arrival to the failure.
    pub after_ms: u64,
    /// Why.
    pub reason: String,
}

/// A webhook as it was received.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookView {
    /// As on the wire.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// In order; what is no UTF-8 is replaced.
    pub fields: Vec<(String, String)>,
    /// As text; what is no UTF-8 is replaced.
    pub body: String,
    /// The body's length in bytes.
    pub body_bytes: usize,
}

/// A delivery that is held, or was.
#[derive(Clone, Debug, Serialize)]
pub struct FoundView {
    /// The webhook's.
    pub id: String,
    /// By name.
    pub route: String,
    /// By name.
    pub upstream: String,
    /// Which one of several that were made of the webhook, from 0, as in `hookgate-part`; nothing where it is
    /// the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<u16>,
    /// `sender-waits`, `waiting`, `in-flight`, `stranded` or `dead`; or how it ended: `delivered`, `refused`, `withdrawn`,
    /// `duplicate`.
    pub state: &'static str,
    /// That have ended.
    pub attempts: u32,
    /// When the webhook arrived.
    pub arrived_at: Timestamp,
    /// Since then.
    pub age_ms: u64,
    /// What it waits for: `schedule`, `retry-after`, `breaker`, `probe`, `rate`, `places`, `order` or `turn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<&'static str>,
    /// Of its next attempt at the earliest, unless that depends on other deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_in_ms: Option<u64>,
    /// When it ended, or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ago_ms: Option<u64>,
    /// The id of the webhook that it repeats, where it is a duplicate and that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<String>,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How the last attempts failed.
    pub tried: Vec<TriedView>,
    /// What was received; only where that is asked for, and not while an attempt is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookView>,
}

/// A call that came to no delivery.
#[derive(Clone, Debug, Serialize)]
pub struct EndedView {
    /// By name; none took it where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// As in the log: `refused`, `rejected`, `dropped`, `responded`, `failed`, `full`, `unkept`, `draining`,
    /// `unavailable`; or `discarded`, of a dead letter.
    pub outcome: &'static str,
    /// That the sender heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// That decided so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub ago_ms: u64,
}

/// Which webhook an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Its own.
    pub id: WebhookId,
    /// With what was received.
    pub with_webhook: bool,
}

/// Where a webhook is.
#[derive(Clone, Debug, Default)]
pub struct WhereView {
    /// Its deliveries.
    pub deliveries: Vec<FoundView>,
    /// How its call ended, where that was not by a delivery.
    pub ended: Option<EndedView>,
    /// Those that it repeats, and where they are.
    pub repeated: Vec<(WebhookId, Self)>,
}

/// `/api/webhooks`.
#[derive(Serialize)]
pub(super) struct Webhook {
    id: String,
    deliveries: Vec<FoundView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndedView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repeated: Vec<Self>,
}

impl Webhook {
    pub(super) fn new(id: WebhookId, view: WhereView) -> Self {
        let repeated = view.repeated.into_iter();
        Self {
            id: id.to_string(),
            deliveries: view.deliveries,
            ended: view.ended,
            repeated: repeated.map(|(id, view)| Self::new(id, view)).collect(),
        }
    }
}

/// A part of a list, in the order of arrival.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// At most as many as were asked for; more only where the last webhook has several deliveries.
    pub items: Vec<T>,
    /// How many are meant, on all pages.
    pub total: usize,
    /// For the next page: `after`.
    pub next: Option<WebhookId>,
}

/// `/api/waiting`.
#[derive(Serialize)]
pub(super) struct Waiting {
    pub(super) waiting: Vec<FoundView>,
    pub(super) total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// What was done to dead letters and to what waits.
#[derive(Default, Serialize)]
pub(super) struct Done {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replayed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<usize>,
    /// Why letters are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) why: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) discarded: Option<usize>,
    /// That waited, and are due now.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) hurried: usize,
    /// In an attempt, which is finished.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) in_flight: usize,
    /// The next start knows of it.
    #[serde(rename = "on_disk", skip_serializing_if = "is_true")]
    pub(super) is_on_disk: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(whether: &bool) -> bool {
    !*whether
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_true(whether: &bool) -> bool {
    *whether
}

/// `/live`.
#[derive(Serialize)]
pub(super) struct Live {
    pub(super) live: bool,
}

/// `/ready`.
#[derive(Serialize)]
pub(super) struct Ready {
    pub(super) ready: bool,
    pub(super) reasons: Vec<&'static str>,
}

/// `/api/state`, and what the page is made of.
#[derive(Serialize)]
pub(super) struct Overview {
    pub(super) version: &'static str,
    pub(super) phase: &'static str,
    pub(super) uptime_s: u64,
    #[serde(flatten)]
    pub(super) state: StateView,
}

/// `/api/dead-letters`.
#[derive(Serialize)]
pub(super) struct DeadLetters {
    pub(super) dead_letters: Vec<DeadLetterView>,
    pub(super) total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// `/api/shadows`.
#[derive(Serialize)]
pub(super) struct Shadows {
    pub(super) shadows: Vec<ShadowView>,
}

/// A candidate beside a plugin on a route, and where it would have differed lately.
#[derive(Serialize)]
pub(super) struct ShadowView {
    route: String,
    plugin: String,
    candidate: String,
    outcomes: BTreeMap<&'static str, u64>,
    differences: Vec<DifferenceView>,
}

/// One webhook about which they differ.
#[derive(Serialize)]
struct DifferenceView {
    id: String,
    stage: &'static str,
    outcome: &'static str,
    current: String,
    candidate: String,
}

pub(super) fn shadow(shadow: &ShadowMeters) -> ShadowView {
    let difference = |difference: Difference| DifferenceView {
        id: difference.id.to_string(),
        stage: difference.stage,
        outcome: difference.outcome,
        current: difference.current,
        candidate: difference.candidate,
    };
    ShadowView {
        route: shadow.route.to_string(),
        plugin: shadow.plugin.to_string(),
        candidate: shadow.candidate.to_string(),
        outcomes: shadow.outcomes().collect(),
        differences: shadow.differences().into_iter().map(difference).collect(),
    }
}

/// `/api/reload`.
#[derive(Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(super) enum Reload {
    Applied { summary: String },
    Refused { problems: usize, report: String },
}
