//! One webhook: what a sender's call was, in shared bytes, and the changes that plugins lay over it.
//!
//! A webhook is never changed. A transform describes its changes in an [`Overlay`], which is applied
//! when the head towards an upstream is written; so a retry, a replay and a second upstream all start
//! from the bytes that were verified.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};
use tokio::time::Instant;
use uuid::Uuid;

use crate::message::Fields;

/// Ours, unique for each webhook received; in every log line and in the answer's `hookgate-id`.
///
/// A version 7 UUID, so that ids sort by arrival. Not a secret: its random part comes from a fast
/// generator, because a system call per webhook would cost more than the route lookup.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookId(Uuid);

impl WebhookId {
    /// A new id for a webhook that arrived at `now`.
    #[must_use]
    pub fn new(now: Arrival) -> Self {
        let mut random = [0_u8; 10];
        fastrand::fill(&mut random);
        Self(uuid::Builder::from_unix_timestamp_millis(now.unix_ms(), &random).into_uuid())
    }

    /// Its sixteen bytes, as they are stored.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// From what [`to_bytes`](Self::to_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// When the webhook arrived, to the millisecond (RFC 9562, 5.7).
    #[must_use]
    pub fn arrived(self) -> SystemTime {
        let [a, b, c, d, e, f, ..] = self.to_bytes();
        UNIX_EPOCH + Duration::from_millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// From the text that logs and answers show; nothing where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("wh_").filter(|hex| hex.len() == 32)?;
        Uuid::try_parse(hex).ok().map(Self)
    }
}

/// `wh_` and 32 digits.
const ID_BYTES: usize = 3 + uuid::fmt::Simple::LENGTH;

/// The text of an id, without an allocation.
#[derive(Clone, Copy)]
pub struct IdText([u8; ID_BYTES]);

impl IdText {
    /// As it stands in fields and logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl WebhookId {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> IdText {
        let mut text = *b"wh_00000000000000000000000000000000";
        if let Some(digits) = text.get_mut(3..) {
            self.0.as_simple().encode_lower(digits);
        }
        IdText(text)
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// When the head of a webhook was there: on the wall clock for people and signatures, and on the
/// monotonic one for deadlines.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    wall: SystemTime,
    /// The same moment on the clock that deadlines are measured by.
    pub instant: Instant,
}

impl Arrival {
    /// Stamps this moment. The only place that reads the wall clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where arrival is stamped"
    )]
    pub fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            instant: Instant::now(),
        }
    }

    /// A moment that was stamped before, read from where it was stored.
    #[must_use]
    pub fn stored(wall: SystemTime, instant: Instant) -> Self {
        Self { wall, instant }
    }

    /// Milliseconds since the Unix epoch; 0 for a clock set before it.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        let since = self
            .wall
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.wall
    }
}

/// How the sender reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As in a URL and in `X-Forwarded-Proto`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// One call of a sender, exactly as received.
#[derive(Debug)]
pub struct Webhook {
    /// Ours.
    pub id: WebhookId,
    /// Name of the route in the configuration.
    pub route: Arc<str>,
    /// As on the wire.
    pub method: Method,
    /// Path and query, percent-encoded as received.
    pub target: PathAndQuery,
    /// The authority of a target in absolute form or of HTTP/2; else it is the `Host` field.
    pub authority: Option<Box<str>>,
    /// Whether it came over TLS.
    pub scheme: Scheme,
    /// The header fields.
    pub fields: Fields,
    /// The raw body: what signatures are computed over.
    pub body: Bytes,
    /// When its head had been read.
    pub arrival: Arrival,
    /// The sender's address, after trusted proxies.
    pub sender: IpAddr,
    /// The URL under which the sender knows this route; some providers sign it.
    pub public_url: Option<Arc<str>>,
}

impl Webhook {
    /// The authority that the sender called.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        match &self.authority {
            Some(authority) => Some(authority.as_bytes()),
            None => self.fields.first("host"),
        }
    }

    /// Bytes that this webhook holds in memory, allocation overhead included, as the buffer counts them.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// The struct, its `Arc`, and what the allocator adds to each of its parts.
        const FIXED: usize = 512;
        let authority = self
            .authority
            .as_ref()
            .map_or(0, |authority| authority.len());
        let target = self.target.as_str().len();
        FIXED + self.fields.weight() + authority + target + self.body.len()
    }
}

/// One change of a header field towards the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The only value from now on.
    Set(HeaderName, HeaderValue),
    /// One more value.
    Add(HeaderName, HeaderValue),
    /// No value at all.
    Remove(HeaderName),
}

/// Drops a delivery whose key was accepted on the same route not long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedupe {
    /// Chosen by the plugin.
    pub key: Box<str>,
    /// How long the key is remembered.
    pub ttl: Duration,
}

/// What one delivery changes about the webhook; the default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// In the order in which they were asked for.
    pub changes: Vec<Change>,
    /// Replaces the body.
    pub body: Option<Bytes>,
    /// Replaces path and query below the upstream's base URL.
    pub target: Option<PathAndQuery>,
    /// Goes to this upstream of the route instead of all of them.
    pub upstream: Option<Box<str>>,
    /// Deliveries of one route with the same key go out in order.
    pub ordering_key: Option<Box<str>>,
    /// Makes a repeat harmless.
    pub dedupe: Option<Dedupe>,
    /// Signs each attempt.
    pub seal: Option<Seal>,
    /// Which one of several that were made of one webhook, from 1; 0 where it is the only one.
    pub part: u16,
}

/// Signs what is sent, when it is sent.
pub trait Sign: fmt::Debug + Send + Sync {
    /// What it is called on its route: another process finds it by that.
    fn name(&self) -> &str;

    /// The fields that it writes, in lower case. Nobody else's of these names are sent.
    fn names(&self) -> &'static [&'static str];

    /// The fields for `body`, sent at `now` under `id`; values that RFC 9110, section 5.5 allows.
    fn sign(&self, id: &str, now: Arrival, body: &[u8]) -> Vec<(&'static str, String)>;
}

/// A signature that is made anew for each attempt: a receiver refuses an old one.
#[derive(Clone, Debug)]
pub struct Seal {
    /// Has the key.
    pub by: Arc<dyn Sign>,
    /// What the signature calls the delivery; the same over all attempts.
    pub id: Box<str>,
}

impl PartialEq for Seal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.by, &other.by) && self.id == other.id
    }
}

impl Eq for Seal {}

/// Whether a path leaves where it says that it is, for any upstream that resolves it: a segment is `.`
/// or `..` once `%2e` is a dot (RFC 3986, 6.2.2.2), `%2f`, `%5c` and `\` are separators, and what
/// follows a `;` is a parameter (RFC 3986, 3.3), as servlet containers take it. Without the query.
#[must_use]
pub fn climbs(path: &str) -> bool {
    if !path.bytes().any(|byte| byte == b'.' || byte == b'%') {
        return false; // nearly every webhook, without an allocation
    }
    let decoded = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace('\\', "/");
    decoded
        .split('/')
        .filter_map(|segment| segment.split(';').next())
        .any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use super::{Arrival, WebhookId, climbs};

    #[test]
    fn an_id_reads_the_same_as_text_and_on_display() {
        let id = WebhookId::new(Arrival::now());

        assert_eq!(id.text().as_str(), id.to_string());
        assert!(id.to_string().starts_with("wh_"));
        assert_eq!(id.to_string().len(), 35);
        assert_eq!(WebhookId::parse(id.text().as_str()), Some(id));
        assert_eq!(WebhookId::from_bytes(id.to_bytes()), id);
        let digits = "0123456789abcdef0123456789abcdef";
        for text in ["", "wh_", digits, "wh_x123456789abcdef0123456789abcdef"] {
            assert_eq!(WebhookId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_path_with_dot_segments_climbs_in_every_encoding() {
        for path in [
            "..",
            "/.",
            "/./a",
            "/a/..",
            "/a/../b",
            "/%2e%2E/a",
            "/.%2e",
            "/..%2fa",
            "/a%2F..",
            "/%2e%2e%2fadmin",
            "/a%5c..%5Cb",
            "/a\\..\\b",
            "/..;/admin",
            "/a/.;x=1/b",
            "/%2e%2e;v=2%2fadmin",
        ] {
            assert!(climbs(path), "{path:?}");
        }
    }

    #[test]
    fn dots_in_a_name_do_not_climb() {
        for path in [
            "/",
            "/a/b",
            "//a",
            "/...",
            "/a..b/c..",
            "/..a",
            "/.well-known/x",
            "/%2Fa",
            "/a%2fb.json",
            "/a;../b",
            "/%2e%2e%2e/a",
        ] {
            assert!(!climbs(path), "{path:?}");
        }
    }
}
