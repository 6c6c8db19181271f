//! The file as written: what serde reads and the schema describes. No opinions here; what a value
//! means, and whether it makes sense, is decided by the other files of this room.
//!
//! The doc comments are what an editor shows over each key. What must be given is an `Option` all the
//! same: a missing key is then one problem among others instead of the end of the reading.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};

use schemars::JsonSchema;
use serde::Deserialize;

use super::shapes::{Free, OneOrMany, SecretRef, Text};
use super::units::{Pace, Size, Time};

/// The configuration of Hookgate.
///
/// Paths are relative to this file. Durations are text with a unit ("30s"), and so are sizes
/// ("64 KiB"). A secret is never written here, only where it is: `{ env = "NAME" }`,
/// `{ file = "PATH" }` or `{ credential = "NAME" }`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Where senders call.
    pub server: Option<Server>,
    /// Where operators look: metrics, liveness, readiness, the page.
    pub admin: Option<Admin>,
    /// What is logged, and how.
    pub log: Option<Log>,
    /// Accepted deliveries that wait for an attempt.
    pub buffer: Option<Buffer>,
    /// Your own plugins. The bundled ones (`signature`, `json-filter`, `json-template`) need no entry.
    #[serde(default)]
    pub plugins: BTreeMap<String, Plugin>,
    /// The servers that receive deliveries, by name.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Upstream>,
    /// What senders call, by name. The name is the one in logs and metrics.
    #[serde(default)]
    pub routes: BTreeMap<String, Route>,
}

/// Where senders call, and what they may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    /// Addresses with ports. Default: ["127.0.0.1:8080"], or ["127.0.0.1:8443"] with TLS.
    pub listen: Option<OneOrMany>,
    /// Threads that serve webhooks. Default: one per core.
    pub workers: Option<NonZeroUsize>,
    /// The longest body a route takes unless it says otherwise. Default: "1 MiB".
    pub max_body: Option<Size>,
    /// Networks whose `X-Forwarded-For` is believed. Default: none.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// How long the orderly end may take. Default: "30s".
    pub drain: Option<Time>,
    /// Bounds on what a sender may use.
    pub limits: Option<Limits>,
    /// Certificates; without any, senders are served plain HTTP. The first is the default, the others
    /// are chosen by the name the sender asks for.
    #[serde(default)]
    pub tls: Vec<Tls>,
}

/// Bounds on what a sender may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// Open connections. Default: 10000.
    pub connections: Option<NonZeroUsize>,
    /// Time for a TLS handshake. Default: "10s".
    pub handshake: Option<Time>,
    /// Time for the head of a request. Default: "10s".
    pub header_time: Option<Time>,
    /// Length of the head of a request. Default: "32 KiB".
    pub header_bytes: Option<Size>,
    /// Fields in the head of a request. Default: 100.
    pub headers: Option<NonZeroUsize>,
    /// Time for a body, unless the route says otherwise. Default: "30s".
    pub body_time: Option<Time>,
    /// How long a connection may do nothing. Default: "60s".
    pub idle: Option<Time>,
    /// HTTP/2 requests at once on one connection. Default: 100.
    pub h2_streams: Option<NonZeroU32>,
}

/// A certificate with its key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// PEM file with the certificate and its intermediates, in this order.
    #[schemars(required)]
    pub cert: Option<String>,
    /// PEM file with the private key.
    #[schemars(required)]
    pub key: Option<String>,
}

/// Where operators look.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    /// Address with port, or "off". Default: "127.0.0.1:9119". Any address but loopback needs a token.
    pub listen: Option<String>,
    /// What callers must present as `Authorization: Bearer ...`.
    pub token: Option<SecretRef>,
}

/// What is logged, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    /// Default: "auto".
    pub format: Option<LogFormat>,
    /// Default: "info".
    pub level: Option<LogLevel>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The least important lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What Hookgate could not do.
    Error,
    /// And what may become one.
    Warn,
    /// And one line per webhook.
    #[default]
    Info,
    /// And one line per attempt and verdict.
    Debug,
    /// And what the libraries say.
    Trace,
}

/// Bounds on accepted deliveries that wait for an attempt. Full means 503: the sender keeps the webhook.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Buffer {
    /// Bytes of all waiting deliveries. Default: "256 MiB".
    pub max_bytes: Option<Size>,
    /// Number of all waiting deliveries. Default: 100000.
    pub max_deliveries: Option<NonZeroUsize>,
    /// A directory of its own: what is held is on disk before a sender hears 202, and survives a crash.
    /// Default: in memory only.
    pub spool: Option<String>,
    /// A directory of its own for what is left in memory at the orderly end; the next start takes it up.
    pub spill: Option<String>,
    /// Seals what is written there: at least 32 bytes.
    pub key: Option<SecretRef>,
}

/// A plugin of your own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Plugin {
    /// The component, a `.wasm` file.
    #[schemars(required)]
    pub file: Option<String>,
    /// Its SHA-256 in hex: anything else is not loaded.
    pub sha256: Option<String>,
    /// What one call may use.
    pub limits: Option<PluginLimits>,
    /// One instance serves several webhooks, one after another, and keeps its memory between them: for
    /// interpreted languages, whose guests take longer to begin than to answer. Default: never.
    pub reuse: Option<PluginReuse>,
    /// What it may import beyond the usual: "kv", "signing".
    #[serde(default)]
    pub grant: Vec<Grant>,
}

/// What one call of a plugin may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginLimits {
    /// Computing time of one stage, "1ms" to "10s". Default: "10ms".
    pub time: Option<Time>,
    /// Memory of one instance, "64 KiB" to "256 MiB". Default: "16 MiB".
    pub memory: Option<Size>,
}

/// How long one instance of a plugin serves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginReuse {
    /// Webhooks of one instance.
    #[schemars(required)]
    pub webhooks: Option<NonZeroU32>,
    /// From when it was made, "1s" to "1h".
    #[schemars(required)]
    pub time: Option<Time>,
}

/// What a plugin may import beyond the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grant {
    /// Making MACs with the keys that a route names.
    Signing,
    /// Remembering small things from webhook to webhook, in memory.
    Kv,
}

impl LogLevel {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A server that receives deliveries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    /// `http://` or `https://`; a secret one is given as `{ env = "NAME" }`.
    #[schemars(required)]
    pub url: Option<Text>,
    /// How long one attempt may take. Default: "15s".
    pub timeout: Option<Time>,
    /// How long connecting may take. Default: "3s".
    pub connect_timeout: Option<Time>,
    /// PEM file with the authorities to trust instead of the platform's.
    pub ca: Option<String>,
    /// HTTP/2 without TLS. With TLS the two sides agree by themselves. Default: false.
    pub http2: Option<bool>,
    /// Pass the sender's `Host` on instead of the upstream's. Default: false.
    pub preserve_host: Option<bool>,
    /// Attempts at once, of all workers together. Default: 256.
    pub concurrency: Option<NonZeroU32>,
    /// Attempts in a time: "100/s", "600/m" or "1000/h". Default: any number.
    pub rate: Option<Pace>,
    /// When the upstream is left alone because it fails.
    pub breaker: Option<Breaker>,
}

/// When an upstream is left alone because it fails. Deliveries wait then, and no attempt is used up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Breaker {
    /// Failures in a row. Default: 10.
    pub failures: Option<NonZeroU32>,
    /// For how long. Default: "2s".
    pub open: Option<Time>,
    /// Attempts that may try it at once after that. Default: 1.
    pub probes: Option<NonZeroU32>,
}

/// A path that senders call, with its plugins and upstreams.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// `/github`, `/alerts/{team}` or `/in/{*rest}`.
    #[schemars(required)]
    pub path: Option<String>,
    /// `hooks.example.com` or `*.example.com`. Default: every host.
    pub host: Option<String>,
    /// Default: ["POST"].
    pub methods: Option<OneOrMany>,
    /// The URL under which the sender knows this route; some providers sign it.
    pub public_url: Option<String>,
    /// Anybody may call: says that a route without a verifying plugin is meant so. Default: false.
    pub public: Option<bool>,
    /// The longest body. Default: that of `[server]`.
    pub max_body: Option<Size>,
    /// Time for a body. Default: that of `[server.limits]`.
    pub body_time: Option<Time>,
    /// Networks that may call. Default: everybody.
    #[serde(default)]
    pub allow: Vec<String>,
    /// What the sender's 2xx means. Default: that of the preset, else "upstream".
    pub ack: Option<AckWord>,
    /// How long the sender waits at most. Default: that of the preset, else "10s".
    pub deadline: Option<Time>,
    /// `ack = "early"` may lose webhooks in a crash, and that is acceptable. Default: false.
    pub lossy: Option<bool>,
    /// The upstreams that receive each delivery: a name or a list of names.
    #[schemars(required)]
    pub forward: Option<OneOrMany>,
    /// When a delivery is tried again, and when it is given up.
    pub retry: Option<Retry>,
    /// This route's part of the buffer. Default: all of it.
    pub buffer: Option<RouteBuffer>,
    /// What each webhook goes through: verify, then filter, then transform.
    #[serde(default)]
    pub plugins: Vec<Step>,
}

/// What the sender's 2xx means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AckWord {
    /// An upstream answered 2xx.
    Upstream,
    /// Delivered, or held in the buffer.
    Buffered,
    /// Accepted by the plugins and held in the buffer. Needs a `spool`, or `lossy = true`.
    Early,
}

/// When a delivery is tried again, and when it is given up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    /// The waits between attempts, one by one; the last one repeats.
    pub schedule: Option<Vec<Time>>,
    /// The first wait; each later one is twice as long.
    pub base: Option<Time>,
    /// The longest wait.
    pub cap: Option<Time>,
    /// Attempts in all.
    pub attempts: Option<NonZeroU32>,
    /// How long after its arrival a webhook is given up.
    pub horizon: Option<Time>,
    /// The longest `Retry-After` of an upstream that is obeyed.
    pub retry_after_cap: Option<Time>,
    /// 4xx statuses that will not get better: the delivery is given up at once.
    #[serde(rename = "final")]
    pub final_statuses: Option<Vec<u16>>,
}

/// A route's part of the buffer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteBuffer {
    /// Bytes of its waiting deliveries.
    pub max_bytes: Option<Size>,
    /// Number of its waiting deliveries.
    pub max_deliveries: Option<NonZeroUsize>,
}

/// One plugin on a route.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// `signature`, `json-filter`, `json-template` or a name of `[plugins]`.
    #[serde(rename = "use")]
    #[schemars(required)]
    pub name: Option<String>,
    /// The plugin's own configuration.
    pub with: Option<Free>,
    /// What a failure of the plugin means. A verifying plugin always refuses. Default: "refuse".
    pub on_failure: Option<OnFailureWord>,
    /// A candidate that is asked about the same webhooks with the same `with`, after the sender has its
    /// answer: what it says goes nowhere, and where it differs is counted. Default: none.
    pub shadow: Option<String>,
    /// The keys in `with` that the plugin may make MACs with.
    #[serde(default)]
    pub signing: Vec<String>,
}

/// What a failure of a plugin means for the webhook at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnFailureWord {
    /// The sender hears 500 or 503 and calls again.
    Refuse,
    /// The webhook goes on without this plugin's say.
    Skip,
}

/// The JSON Schema of the file, for editors: `hookgate schema`.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Config);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
