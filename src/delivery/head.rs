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
//!
//! Everything else, the provider's signature included, goes on as it came. A transform's changes come
//! after the sender's fields and cannot touch the rows above, except the last.

use std::fmt::{self, Write as _};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;

use super::trace::Trace;
use crate::webhook::{Change, Overlay, Webhook};

/// Ours: unique for each webhook, the same over all attempts and upstreams; an idempotency key.
pub const HOOKGATE_ID: HeaderName = HeaderName::from_static("hookgate-id");
const HOOKGATE_ROUTE: HeaderName = HeaderName::from_static("hookgate-route");
const HOOKGATE_ATTEMPT: HeaderName = HeaderName::from_static("hookgate-attempt");
const HOOKGATE_RECEIVED_AT: HeaderName = HeaderName::from_static("hookgate-received-at");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const VIA: HeaderValue = HeaderValue::from_static("1.1 hookgate");

/// The fields that are ours: eight, `Via` and `Host`.
const OURS: usize = 10;
/// Room for the values that are written anew: id 35, address 45, time 20, trace 55, and the route's name.
const TEXT_BYTES: usize = 256;

/// The fields of attempt number `attempt` at handing `webhook`, changed by `overlay`, over.
///
/// `Host` is not among them: where the authority goes depends on the protocol's version.
pub(super) fn fields(webhook: &Webhook, overlay: &Overlay, attempt: u32) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(webhook.fields.len() + overlay.changes.len() + OURS);
    let nominated = Nominated::by(webhook.fields.all("connection"));
    for (name, value) in webhook.fields.iter() {
        let forwarded = match Fate::of(name) {
            Fate::Forwarded => true,
            Fate::AboutTheBody => overlay.body.is_none(),
            Fate::Dropped => false,
        };
        if forwarded && !nominated.contains(name) {
            fields.append(name.clone(), value.clone());
        }
    }
    for change in &overlay.changes {
        apply(change, &mut fields);
    }
    add_ours(&mut fields, webhook, attempt);
    fields
}

/// Path and query of the request: see [`super::upstream::UpstreamUrl`] for the rule.
pub(super) fn target(
    base: Option<&PathAndQuery>,
    webhook: &Webhook,
    overlay: &Overlay,
) -> PathAndQuery {
    match (base, &overlay.target) {
        (None, target) => target.as_ref().unwrap_or(&webhook.target).clone(),
        (Some(base), Some(target)) => {
            join(base.path().trim_end_matches('/'), target.as_str()).unwrap_or_else(|| base.clone())
        }
        (Some(base), None) => match webhook.target.query() {
            Some(query) if base.query().is_none() => {
                join(base.path(), &format!("?{query}")).unwrap_or_else(|| base.clone())
            }
            _ => base.clone(),
        },
    }
}

/// The fields of an upstream's answer that the sender may see.
pub(super) fn answered(fields: HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let connection: Vec<_> = fields.get_all(header::CONNECTION).iter().cloned().collect();
    let nominated = Nominated::by(connection.iter());
    let dropped = |name: &HeaderName| {
        is_hop_by_hop(name.as_str())
            || *name == header::CONTENT_LENGTH
            // It would send the sender to a port behind the gate.
            || *name == header::ALT_SVC
            || name.as_str().starts_with("hookgate-")
            || name.as_str().contains('_')
            || nominated.contains(name)
    };
    let mut kept = Vec::with_capacity(fields.len());
    let mut last = None;
    for (name, value) in fields {
        // A map yields the name with the first of its values only.
        if name.is_some() {
            last = name;
        }
        if let Some(name) = last.as_ref().filter(|name| !dropped(name)) {
            kept.push((name.clone(), value));
        }
    }
    kept
}

enum Fate {
    Forwarded,
    AboutTheBody,
    Dropped,
}

impl Fate {
    fn of(name: &HeaderName) -> Self {
        let name = name.as_str();
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
    fn by(connection: impl Iterator<Item = &'a HeaderValue>) -> Self {
        Self(
            connection
                .filter_map(|value| value.to_str().ok())
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

    fn contains(&self, name: &HeaderName) -> bool {
        self.0
            .iter()
            .any(|token| name.as_str().eq_ignore_ascii_case(token))
    }
}

fn apply(change: &Change, fields: &mut HeaderMap) {
    let (Change::Set(name, _) | Change::Add(name, _) | Change::Remove(name)) = change;
    // `Via` is evidence for finding loops; a plugin may not remove it.
    if matches!(Fate::of(name), Fate::Dropped) || *name == header::VIA {
        return;
    }
    match change {
        Change::Set(name, value) => drop(fields.insert(name.clone(), value.clone())),
        Change::Add(name, value) => drop(fields.append(name.clone(), value.clone())),
        Change::Remove(name) => drop(fields.remove(name)),
    }
}

fn add_ours(fields: &mut HeaderMap, webhook: &Webhook, attempt: u32) {
    let mut text = Text(BytesMut::with_capacity(TEXT_BYTES));
    let id = text.value(format_args!("{}", webhook.id));
    let route = text.value(format_args!("{}", webhook.route));
    let sender = text.value(format_args!("{}", webhook.sender));
    let received_at = text.value(format_args!("{}", webhook.arrival.unix_ms()));
    let trace = Trace::of(webhook);
    let traceparent = text.value(format_args!("{}", trace.next_span()));

    fields.append(header::VIA, VIA);
    for (name, value) in [
        (HOOKGATE_ID, id),
        (HOOKGATE_ROUTE, route),
        (HOOKGATE_RECEIVED_AT, received_at),
        (X_FORWARDED_FOR, sender),
        (TRACEPARENT, traceparent),
    ] {
        if let Some(value) = value {
            fields.insert(name, value);
        }
    }
    if let Some(host) = &webhook.host {
        fields.insert(X_FORWARDED_HOST, host.clone());
    }
    fields.insert(
        X_FORWARDED_PROTO,
        HeaderValue::from_static(webhook.scheme.as_str()),
    );
    let attempt = if attempt == 1 {
        HeaderValue::from_static("1")
    } else {
        attempt.into()
    };
    fields.insert(HOOKGATE_ATTEMPT, attempt);
    if trace.is_continued() {
        const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
        for value in webhook.fields.all("tracestate") {
            fields.append(TRACESTATE, value.clone());
        }
    }
}

/// Values written one after the other into one allocation.
struct Text(BytesMut);

impl Text {
    /// `None` for what no header value can hold, such as a route's name with a line break in it.
    fn value(&mut self, text: fmt::Arguments<'_>) -> Option<HeaderValue> {
        self.0.write_fmt(text).ok()?;
        HeaderValue::from_maybe_shared(self.0.split().freeze()).ok()
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
