//! What the guests say. The only room that names wasmtime.
//!
//! A [`Plugin`] is a component, compiled and linked; the [`Catalog`] keeps each one once. A [`Chain`] is
//! what a route runs: its plugins with their configuration and keys, in the order verify, filter,
//! transform. [`Chain::judge`] is the only maker of [`Accepted`], and nothing reaches an upstream
//! without one.

mod answer;
mod budget;
mod bundled;
mod cache;
mod catalog;
mod certificates;
mod chain;
mod compare;
mod compiled;
mod contract;
mod crypto;
mod description;
mod engine;
mod failure;
mod fetched;
mod field;
mod forgery;
mod golden;
mod host;
mod instance;
mod json;
mod jwk;
mod kept;
mod key;
mod kv;
mod load;
mod loaded;
mod memory;
mod seal;
mod seat;
mod selftest;
mod shadow;
mod ticker;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

pub use self::bundled::{bundled, bundled_bytes};
pub use self::cache::CacheError;
pub use self::catalog::{COMPONENT_BYTES_MAX, Catalog, Grants, Source};
pub use self::certificates::{At, is_of_host};
pub use self::chain::{Chain, Step};
pub use self::compiled::Origin as Compiled;
pub use self::engine::{Engine, EngineError, MEMORY_BYTES_MAX, Settings};
pub use self::golden::{Covers, Golden, Place};
pub use self::key::Key;
pub use self::kv::Writes;
pub use self::load::{LoadError, Reason, Text};
pub use self::loaded::{ConfigProblem, Plugin};
pub use self::shadow::Candidate;
use crate::webhook::{Overlay, Webhook};

/// Names and the active keys that each stands for, newest first.
pub type Keyring = BTreeMap<Box<str>, Vec<Arc<Key>>>;

/// The three questions a plugin may answer, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Is it authentic?
    Verify,
    /// Is it wanted?
    Filter,
    /// What is delivered?
    Transform,
}

impl Stage {
    /// The word in logs, metrics and the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Filter => "filter",
            Self::Transform => "transform",
        }
    }
}

/// What a route's chain decided about a webhook.
#[derive(Debug)]
pub enum Verdict {
    /// Goes on to its upstreams.
    Accepted(Accepted),
    /// Acknowledged to the sender, delivered to no one.
    Dropped {
        /// The plugin that said so, by its name in the configuration.
        plugin: Arc<str>,
        /// For the log.
        reason: String,
    },
    /// Refused.
    Rejected {
        /// The plugin that said so.
        plugin: Arc<str>,
        /// 400 to 499; the host replaces anything else by 403.
        status: u16,
        /// For the log; the sender never sees it.
        reason: String,
    },
    /// Answered here, as in a provider's handshake.
    Responded {
        /// The plugin that answers.
        plugin: Arc<str>,
        /// The answer, bounded and stripped of hop-by-hop fields.
        response: Response,
    },
}

/// A direct answer to the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: http::StatusCode,
    /// Valid names and values.
    pub fields: Vec<(http::HeaderName, http::HeaderValue)>,
    /// At most [`RESPONSE_BYTES_MAX`].
    pub body: bytes::Bytes,
}

/// A handshake answer is a token or a line of JSON; 64 KiB is generous.
pub const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// Proof that a chain let this webhook through; only this room can make one.
#[derive(Debug)]
pub struct Accepted {
    webhook: Arc<Webhook>,
    overlays: Vec<Overlay>,
    event: Option<Arc<str>>,
    writes: Option<Writes>,
}

impl Accepted {
    /// The webhook as it was received.
    #[must_use]
    pub fn webhook(&self) -> &Arc<Webhook> {
        &self.webhook
    }

    /// What each delivery changes; at least one.
    #[must_use]
    pub fn overlays(&self) -> &[Overlay] {
        &self.overlays
    }

    /// The name of the event, where a plugin left the note `event`.
    #[must_use]
    pub fn event(&self) -> Option<&Arc<str>> {
        self.event.as_ref()
    }

    /// Takes the parts for delivery. What the plugins want to remember must be kept once the webhook
    /// was taken, and is dropped otherwise.
    #[must_use]
    pub fn into_parts(self) -> (Arc<Webhook>, Vec<Overlay>, Option<Writes>) {
        (self.webhook, self.overlays, self.writes)
    }
}

/// Why a plugin could not do its work: never a verdict about the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// It used up its time.
    Time,
    /// It asked for more memory than it may have.
    Memory,
    /// It panicked, ran off its stack, called what is not granted, ...
    Trap,
    /// It returned or asked for more than a bound allows.
    Output,
    /// There was no free sandbox in time: not the plugin's fault.
    Overload,
    /// It said itself that a later attempt may succeed.
    Temporary,
    /// It said itself that it can never handle this webhook.
    Permanent,
}

impl FailureKind {
    /// The word in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Trap => "trap",
            Self::Output => "output",
            Self::Overload => "overload",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
        }
    }

    /// Whether the sender should be told to try again (503) or that we are broken (500).
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Overload | Self::Temporary)
    }
}

/// A plugin could not do its work. `Display` is the sentence that the operator reads.
#[derive(Clone, Debug)]
pub struct Failure {
    /// By its name in the configuration.
    pub plugin: Arc<str>,
    /// Where it happened.
    pub stage: Stage,
    /// What kind.
    pub kind: FailureKind,
    /// What happened, with the limit that was hit and the cure, in one line.
    pub detail: String,
    /// The end of what it wrote to its standard output and error, as written; a part of `detail` too.
    pub words: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "plugin `{}` failed in {}: {}",
            self.plugin,
            self.stage.as_str(),
            self.detail
        )
    }
}

/// What a failure means for the webhook at hand. A verify stage has no choice: it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The sender hears 500 or 503 and calls again.
    #[default]
    Refuse,
    /// The chain goes on without this plugin's say.
    Skip,
}

/// What one call of a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Computing time of one stage; 1 ms to 10 s, default 10 ms.
    pub time: Duration,
    /// Bytes over all memories of the instance; 64 KiB to 256 MiB, default 16 MiB.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_millis(10),
            memory: 16 << 20,
        }
    }
}

/// For how long one instance of a plugin serves, where it may serve several webhooks one after another:
/// what it keeps in its memory is then there for the next. Never the default. An instance that fails in
/// any way serves no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reuse {
    /// Webhooks of one instance.
    pub webhooks: NonZeroU32,
    /// From when it was made; an idle instance is let go when it is looked at after that.
    pub time: Duration,
}
