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
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::Instant;
use uuid::Uuid;

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
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; uuid::fmt::Simple::LENGTH];
        write!(f, "wh_{}", self.0.as_simple().encode_lower(&mut text))
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

/// The header fields of a webhook in order of arrival, values as on the wire.
///
/// A vector and not a map: there are twenty of them, most are looked at once, and the order is kept.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// From names and values in order of arrival.
    #[must_use]
    pub fn new(fields: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self(fields)
    }

    /// The first value of `name`; any case.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&HeaderValue> {
        self.0
            .iter()
            .find(|(field, _)| field.as_str().eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All values of `name` in order; any case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HeaderValue> {
        self.0
            .iter()
            .filter(move |(field, _)| field.as_str().eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<HeaderMap> for Fields {
    /// Moves names and values over; repeated fields stay in order.
    fn from(headers: HeaderMap) -> Self {
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            // A map gives the name with the first of its values only.
            match name.or_else(|| fields.last().map(|(name, _)| name.clone())) {
                Some(name) => fields.push((name, value)),
                None => continue,
            }
        }
        Self(fields)
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
    /// The authority that the sender called (`Host` or `:authority`).
    pub host: Option<HeaderValue>,
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
    /// A copy that shares no memory with the socket it was read from.
    ///
    /// Values and body are slices of what one read brought, 64 KiB at most: harmless while the sender
    /// waits, but a webhook that is held for hours must weigh what [`weight`](Self::weight) says.
    #[must_use]
    pub fn detached(&self) -> Self {
        let copy = |value: &HeaderValue| {
            let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or(value.clone());
            copy.set_sensitive(value.is_sensitive());
            copy
        };
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), copy(value)));
        Self {
            id: self.id,
            route: Arc::clone(&self.route),
            method: self.method.clone(),
            target: self.target.as_str().parse().unwrap_or(self.target.clone()),
            host: self.host.as_ref().map(copy),
            scheme: self.scheme,
            fields: Fields::new(fields.collect()),
            body: Bytes::copy_from_slice(&self.body),
            arrival: self.arrival,
            sender: self.sender,
            public_url: self.public_url.clone(),
        }
    }

    /// Bytes that this webhook holds in memory, allocation overhead included, as the buffer counts them.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// The struct, its `Arc`, and the vector of fields (two fat shared handles a field).
        const FIXED: usize = 512;
        const PER_FIELD: usize = 72;
        let fields: usize = self
            .fields
            .iter()
            .map(|(n, v)| n.as_str().len() + v.len() + PER_FIELD)
            .sum();
        FIXED + fields + self.target.as_str().len() + self.body.len()
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
}

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
    use super::{Arrival, Fields, Scheme, Webhook, WebhookId, climbs};
    use bytes::Bytes;
    use http::{HeaderName, HeaderValue, Method};
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn a_detached_webhook_says_the_same_and_lets_go_of_the_socket() {
        // One read of a socket, of which a small webhook is a small part.
        let read = Bytes::from([b"/hook?x=1abc{}".as_slice(), &[0; 60_000]].concat());
        let value = HeaderValue::from_maybe_shared(read.slice(9..12)).unwrap();
        let arrival = Arrival::now();
        let webhook = Webhook {
            id: WebhookId::new(arrival),
            route: "hook".into(),
            method: Method::POST,
            target: http::uri::PathAndQuery::from_maybe_shared(read.slice(..9)).unwrap(),
            host: Some(value.clone()),
            scheme: Scheme::Https,
            fields: Fields::new(vec![(HeaderName::from_static("x-a"), value)]),
            body: read.slice(12..14),
            arrival,
            sender: IpAddr::V4(Ipv4Addr::LOCALHOST),
            public_url: None,
        };

        let detached = webhook.detached();
        drop(webhook);

        assert!(read.is_unique(), "nobody holds what was read");
        assert_eq!(detached.target, "/hook?x=1");
        assert_eq!(detached.fields.first("x-a").unwrap(), "abc");
        assert_eq!(detached.host.unwrap(), "abc");
        assert_eq!(detached.body, "{}");
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
