//! The head towards an upstream, and the fields of its answer: what is forwarded and what is not.
//!
//! | field | towards the upstream |
//! |---|---|
//! | hop-by-hop (RFC 9110 section 7.6.1), `Expect`, and all that `Connection` nominates | dropped |
//! | `Host` | the upstream's authority; the sender's with `preserve_host` |
//! | `Content-Length` | made anew from the body that is sent |
//! | `X-Forwarded-For`, `-Proto`, `-Host` | replaced: the sender's address, scheme and authority |
//! | `Forwarded`, other `X-Forwarded-*`, `Hookgate-*`, `X-Real-IP` and its like | dropped: nobody outside may claim them |
//! | names with `_`, `Proxy` | dropped: CGI would take them for other fields |
//! | `Via` | kept, and `1.1 hookgate` appended |
//! | `Traceparent`, `Tracestate` | continued with a new span when valid, else started anew |
//! | `Hookgate-Id`, `-Route` | set; the same over all attempts |
//! | `Hookgate-Attempt` | 1 for the first |
//! | `Hookgate-Received-At` | milliseconds since the Unix epoch |
//! | digests, signatures of RFC 9421, `Content-Encoding` | dropped when a transform replaced the body |
//! | the fields of a seal | made anew for each attempt, with its time |
//!
//! Everything else, the provider's signature included, goes on as it came. A transform's changes come
//! after the sender's fields and cannot touch the rows above, except the one about the body.

use std::borrow::Cow;
use std::io::Write as _;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;

use super::trace::Trace;
use crate::http1;
use crate::message::Fields;
use crate::webhook::{Arrival, Change, Overlay, Seal, Webhook};

/// Ours: unique for each webhook, the same over all attempts and upstreams; an idempotency key.
pub const HOOKGATE_ID: HeaderName = HeaderName::from_static("hookgate-id");
/// The fields that are ours: eight, `Via` and `Host`.
const OURS: usize = 10;

/// Where fields are written to: a head of either version of the protocol.
pub(super) trait Sink {
    /// Adds a field at the end. The name is a token in lower case and the value one that RFC 9110,
    /// section 5.5 allows: both come from a head that was parsed, or are ours.
    fn put(&mut self, name: &str, value: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, name: &str, value: &[u8]) {
        http1::field(self, name, value);
    }
}

impl Sink for HeaderMap {
    fn put(&mut self, name: &str, value: &[u8]) {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        ) {
            self.append(name, value);
        }
    }
}

/// As [`write`], for HTTP/2.
pub(super) fn fields(webhook: &Webhook, overlay: &Overlay, attempt: u32) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(webhook.fields.len() + overlay.changes.len() + OURS);
    write(&mut fields, webhook, overlay, attempt);
    fields
}

/// Writes the fields of attempt number `attempt` at handing `webhook`, changed by `overlay`, over.
///
/// `Host` is not among them: where the authority goes depends on the protocol's version.
pub(super) fn write(out: &mut impl Sink, webhook: &Webhook, overlay: &Overlay, attempt: u32) {
    let nominated = Nominated::by(webhook.fields.all("connection"));
    let sealed = match &overlay.seal {
        Some(seal) => seal.by.names(),
        None => &[],
    };
    for (name, value) in webhook.fields.iter() {
        let forwarded = match Fate::of(name) {
            Fate::Forwarded => true,
            Fate::AboutTheBody => overlay.body.is_none(),
            Fate::Dropped => false,
        };
        if forwarded
            && !nominated.contains(name)
            && !is_replaced(name, &overlay.changes)
            && !sealed.contains(&name)
        {
            out.put(name, value);
        }
    }
    for (at, change) in overlay.changes.iter().enumerate() {
        let (Change::Set(name, _) | Change::Add(name, _) | Change::Remove(name)) = change;
        let later = overlay.changes.get(at + 1..).unwrap_or_default();
        if !may_change(name.as_str())
            || is_replaced(name.as_str(), later)
            || sealed.contains(&name.as_str())
        {
            continue;
        }
        if let Change::Set(_, value) | Change::Add(_, value) = change {
            out.put(name.as_str(), value.as_bytes());
        }
    }
    if let Some(Seal { by, id }) = &overlay.seal {
        let body = overlay.body.as_ref().unwrap_or(&webhook.body);
        for (name, value) in by.sign(id, Arrival::now(), body) {
            out.put(name, value.as_bytes());
        }
    }
    put_ours(out, webhook, overlay.part, attempt);
}

/// Path and query of the request: see [`super::upstream::UpstreamUrl`] for the rule.
pub(super) fn target<'a>(
    base: Option<&'a PathAndQuery>,
    webhook: &'a Webhook,
    overlay: &'a Overlay,
) -> Cow<'a, PathAndQuery> {
    let joined = match (base, &overlay.target) {
        (None, target) => return Cow::Borrowed(target.as_ref().unwrap_or(&webhook.target)),
        (Some(base), Some(target)) => join(base.path().trim_end_matches('/'), target.as_str()),
        (Some(base), None) => match webhook.target.query() {
            Some(query) if base.query().is_none() => join(base.path(), &format!("?{query}")),
            _ => None,
        },
    };
    match (joined, base) {
        (Some(joined), _) => Cow::Owned(joined),
        (None, base) => Cow::Borrowed(base.unwrap_or(&webhook.target)),
    }
}

/// Drops from an upstream's answer what the sender may not see.
pub(super) fn keep_for_the_sender(fields: &mut Fields) {
    let connection: Vec<Vec<u8>> = fields.all("connection").map(<[u8]>::to_vec).collect();
    let nominated = Nominated::by(connection.iter().map(Vec::as_slice));
    fields.retain(|name, _| {
        let dropped = is_hop_by_hop(name)
            // The listener says its own.
            || matches!(name, "content-length" | "date")
            // It would send the sender to a port behind the gate.
            || name == "alt-svc"
            || name.starts_with("hookgate-")
            || name.contains('_')
            || nominated.contains(name);
        !dropped
    });
}

enum Fate {
    Forwarded,
    AboutTheBody,
    Dropped,
}

impl Fate {
    fn of(name: &str) -> Self {
        match name {
            "host" | "content-length" | "expect" | "forwarded" | "traceparent" | "tracestate" => {
                Self::Dropped
            }
            "content-encoding" | "content-md5" | "digest" | "content-digest" | "repr-digest"
            | "signature" | "signature-input" => Self::AboutTheBody,
            _ if is_hop_by_hop(name) => Self::Dropped,
            _ if name.starts_with("hookgate-") || name.starts_with("x-forwarded-") => Self::Dropped,
            // What frameworks and gateways take for the sender's address, or for the path to serve.
            "x-real-ip" | "true-client-ip" | "x-client-ip" | "x-original-url" | "x-rewrite-url" => {
                Self::Dropped
            }
            // `Proxy` becomes HTTP_PROXY in CGI, and there `X_Forwarded_For` and `X-Forwarded-For` are
            // one name; nginx drops names with `_` for the same reason.
            "proxy" => Self::Dropped,
            _ if name.contains('_') => Self::Dropped,
            _ => Self::Forwarded,
        }
    }
}

/// RFC 9110 section 7.6.1, and the older `Proxy-*` and `Keep-Alive`.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    ) || name.starts_with("proxy-")
}

/// The names that a `Connection` field declares to be about this hop only.
struct Nominated<'a>(Vec<&'a str>);

impl<'a> Nominated<'a> {
    fn by(connection: impl Iterator<Item = &'a [u8]>) -> Self {
        Self(
            connection
                .filter_map(|value| std::str::from_utf8(value).ok())
                .flat_map(|value| value.split(','))
                .map(str::trim)
                .filter(|token| {
                    // The two that nearly everybody sends name no field.
                    !token.eq_ignore_ascii_case("keep-alive")
                        && !token.eq_ignore_ascii_case("close")
                })
                .collect(),
        )
    }

    fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|token| name.eq_ignore_ascii_case(token))
    }
}

/// Whether a transform may change it. `Via` is evidence for finding loops.
fn may_change(name: &str) -> bool {
    !matches!(Fate::of(name), Fate::Dropped) && name != "via"
}

/// Whether one of these changes leaves nothing of what stood there before.
fn is_replaced(name: &str, changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::Set(changed, _) | Change::Remove(changed) => {
            changed.as_str() == name && may_change(name)
        }
        Change::Add(..) => false,
    })
}

fn put_ours(out: &mut impl Sink, webhook: &Webhook, part: u16, attempt: u32) {
    out.put("via", b"1.1 hookgate");
    out.put(HOOKGATE_ID.as_str(), webhook.id.text().as_str().as_bytes());
    // A name is text from the configuration; one with a line break in it stays out.
    if !webhook.route.chars().any(char::is_control) {
        out.put("hookgate-route", webhook.route.as_bytes());
    }
    let mut text = Text {
        bytes: [0; Text::BYTES],
    };
    out.put(
        "hookgate-received-at",
        text.of(format_args!("{}", webhook.arrival.unix_ms())),
    );
    out.put("hookgate-attempt", text.of(format_args!("{attempt}")));
    if let Some(index) = part.checked_sub(1) {
        out.put("hookgate-part", text.of(format_args!("{index}")));
    }
    out.put(
        "x-forwarded-for",
        text.of(format_args!("{}", webhook.sender)),
    );
    out.put("x-forwarded-proto", webhook.scheme.as_str().as_bytes());
    if let Some(host) = webhook.host() {
        out.put("x-forwarded-host", host);
    }
    let trace = Trace::of(webhook);
    out.put("traceparent", &trace.next_span().text());
    if trace.is_continued() {
        for value in webhook.fields.all("tracestate") {
            out.put("tracestate", value);
        }
    }
}

/// Room for one value that is written anew: an IPv6 address is the longest.
struct Text {
    bytes: [u8; Self::BYTES],
}

impl Text {
    const BYTES: usize = 48;

    fn of(&mut self, text: std::fmt::Arguments<'_>) -> &[u8] {
        let mut free: &mut [u8] = &mut self.bytes;
        // What does not fit is cut off; nothing that is written here comes near.
        let _ = free.write_fmt(text);
        let left = free.len();
        self.bytes.get(..Self::BYTES - left).unwrap_or_default()
    }
}

fn join(path: &str, rest: &str) -> Option<PathAndQuery> {
    let mut joined = String::with_capacity(path.len() + rest.len());
    joined.push_str(path);
    joined.push_str(rest);
    PathAndQuery::from_maybe_shared(Bytes::from(joined)).ok()
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
