//! One try at a delivery: a connection, one exchange, and what it meant.
//!
//! The answer is collected before it is judged, within bounds, so that a truncated, endless or
//! oversized one is a failure and never half an answer. Redirects are answers like others: nothing is followed.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::head;
use super::pool::{Body, Http1, Link, Pool, Sender2};
use super::{Cause, Delivery, Upstream, UpstreamUrl, retry};
use crate::drain::{Drain, Watch};
use crate::telemetry::{Event, Telemetry};

/// A head beyond this is an attack or a mistake; the count of its fields is bounded by hyper at 100.
pub(super) const HEAD_BYTES_MAX: u32 = 64 << 10;
/// Senders read a line of an answer at most; a mebibyte is what a webhook itself may have.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// HTTP/2 has no bound on the count of its own.
const FIELDS_MAX: usize = 100;

/// What an upstream answered, complete, without the fields that concern one hop only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 999.
    pub status: StatusCode,
    /// In order, names repeated where they were.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// At most 1 MiB.
    pub body: Bytes,
}

/// How an attempt failed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing was sent: no address, no connection.
    Unreachable,
    /// The connection broke; how much the upstream did is unknown.
    Reset,
    /// No complete answer in time; how much the upstream did is unknown.
    Timeout,
    /// Nothing was sent: the handshake failed.
    Tls,
    /// What came back is not HTTP, or not an answer.
    Protocol,
    /// More came back than is accepted.
    TooLarge,
}

impl Fault {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
        }
    }

    fn cause(self) -> Cause {
        match self {
            Self::Unreachable | Self::Tls => Cause::Unreachable,
            Self::Timeout => Cause::Timeout,
            Self::Reset | Self::Protocol | Self::TooLarge => Cause::Broken,
        }
    }
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The upstream took it.
    Delivered(Answer),
    /// The upstream will never take it, and says why.
    Final(Answer),
    /// A later attempt may succeed.
    Failed(Failed),
}

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) cause: Cause,
    /// What the upstream asked for; not clamped yet.
    pub(super) retry_after: Option<Duration>,
    /// For people.
    pub(super) reason: Box<str>,
}

enum Conversation {
    Answered(Answer),
    /// Not a byte was written: the connection had died in the pool.
    Unsent,
    Failed(Fault, Box<str>),
}

/// Tries `delivery` once and tells telemetry. `not_after` cuts it short of the upstream's timeout.
///
/// Dropping the future closes its connection; whether the upstream acted is then unknown.
pub(super) async fn make(
    delivery: &Delivery,
    worker: usize,
    not_after: Option<Instant>,
    watch: &Watch,
    telemetry: &Telemetry,
) -> Outcome {
    let started = Instant::now();
    let timeout = started + delivery.upstream.settings().timeout;
    let deadline = not_after.map_or(timeout, |not_after| timeout.min(not_after));

    let build = |protocol| match protocol {
        Protocol::One => Some(request_one(delivery)),
        Protocol::Two => request_two(delivery),
    };
    let conversation =
        converse(&delivery.upstream, worker, build, started, deadline, watch).await;

    let took = started.elapsed();
    let (outcome, word, status) = judge(delivery, conversation);
    let reason = match &outcome {
        Outcome::Failed(failed) => Some(&*failed.reason),
        _ => None,
    };
    telemetry.emit(&Event::Attempted {
        id: delivery.webhook.id,
        route: &delivery.webhook.route,
        upstream: delivery.upstream.meters(),
        attempt: delivery.attempts,
        outcome: word,
        status: status.map(|status| status.as_u16()),
        reason,
        took,
    });
    outcome
}

fn judge(
    delivery: &Delivery,
    conversation: Conversation,
) -> (Outcome, &'static str, Option<StatusCode>) {
    let answer = match conversation {
        Conversation::Answered(answer) => answer,
        Conversation::Unsent => {
            return failed(
                Fault::Reset,
                "the connection closed before anything was sent".into(),
            );
        }
        Conversation::Failed(fault, reason) => return failed(fault, reason),
    };
    let status = answer.status;
    if status.is_success() {
        return (Outcome::Delivered(answer), "delivered", Some(status));
    }
    if delivery.contract.policy.is_final(status) {
        return (Outcome::Final(answer), "final", Some(status));
    }
    let arrival = delivery.webhook.arrival;
    let retry_after = answer
        .fields
        .iter()
        .find(|(name, _)| *name == header::RETRY_AFTER)
        .and_then(|(_, value)| {
            retry::retry_after(value, arrival.wall() + arrival.instant.elapsed())
        });
    let cause = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Cause::Busy,
        _ => Cause::Failing(status),
    };
    let reason = format!("answered {}", status.as_u16()).into();
    (
        Outcome::Failed(Failed {
            cause,
            retry_after,
            reason,
        }),
        "status",
        Some(status),
    )
}

fn failed(fault: Fault, reason: Box<str>) -> (Outcome, &'static str, Option<StatusCode>) {
    let failed = Failed {
        cause: fault.cause(),
        retry_after: None,
        reason,
    };
    (Outcome::Failed(failed), fault.as_str(), None)
}

/// Sends a request as it is, outside of any delivery, on a connection of its own: for the command line.
///
/// # Errors
/// Why there was no complete answer, in words.
pub(super) async fn ask(upstream: &Upstream, request: http::Request<Bytes>) -> Result<Answer, String> {
    let (now, drain) = (Instant::now(), Drain::new());
    let deadline = now + upstream.settings().timeout;
    let build = |protocol| {
        let mut request = request.clone().map(Full::new);
        if protocol == Protocol::Two {
            let target = request.uri().path_and_query().cloned()?;
            let url = &upstream.settings().url;
            *request.uri_mut() = absolute(url, url.authority().as_str().as_bytes(), target)?;
            *request.version_mut() = http::Version::HTTP_2;
            request.headers_mut().remove(header::HOST);
        }
        Some(request)
    };
    match converse(upstream, 0, build, now, deadline, &drain.watch()).await {
        Conversation::Answered(answer) => Ok(answer),
        Conversation::Unsent => Err("the connection closed at once".to_owned()),
        Conversation::Failed(_, reason) => Err(reason.into()),
    }
}

/// Which HTTP a connection speaks; a head is written differently in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    One,
    Two,
}

async fn converse(
    upstream: &Upstream,
    worker: usize,
    build: impl Fn(Protocol) -> Option<http::Request<Body>>,
    now: Instant,
    deadline: Instant,
    watch: &Watch,
) -> Conversation {
    let Some(pool) = upstream.pool(worker) else {
        return Conversation::Failed(Fault::Unreachable, "no worker has a pool".into());
    };
    if let Some(link) = pool.checkout(now).await {
        match exchange(&build, link, pool, deadline, watch).await {
            // Replaced once by a fresh connection: not an attempt, for nothing was tried.
            Conversation::Unsent => {}
            told => return told,
        }
    }
    match upstream.connect(pool, deadline, watch).await {
        Ok(link) => exchange(&build, link, pool, deadline, watch).await,
        Err((fault, reason)) => Conversation::Failed(fault, reason),
    }
}

async fn exchange(
    build: &impl Fn(Protocol) -> Option<http::Request<Body>>,
    link: Link,
    pool: &Pool,
    deadline: Instant,
    watch: &Watch,
) -> Conversation {
    let protocol = match link {
        Link::One(_) => Protocol::One,
        Link::Two(_) => Protocol::Two,
    };
    let Some(request) = build(protocol) else {
        return Conversation::Failed(Fault::Protocol, "the target does not fit a URI".into());
    };
    match link {
        Link::One(link) => exchange_one(request, link, pool, deadline, watch).await,
        Link::Two(sender) => {
            let exchange = exchange_two(request, sender);
            tokio::time::timeout_at(deadline, exchange)
                .await
                .unwrap_or_else(|_| late())
        }
    }
}

/// Over HTTP/1.1: this task itself moves the connection's bytes.
async fn exchange_one(
    request: http::Request<Body>,
    mut link: Box<Http1>,
    pool: &Pool,
    deadline: Instant,
    watch: &Watch,
) -> Conversation {
    link.set_deadline(deadline);
    let mut answering = std::pin::pin!(link.sender.try_send_request(request));
    let answer = poll_fn(|cx| {
        link.poll_connection(cx);
        match answering.as_mut().poll(cx) {
            Poll::Ready(Ok(answer)) => Poll::Ready(Ok(answer)),
            Poll::Ready(Err(mut error)) => Poll::Ready(Err(match error.take_message() {
                Some(_) => Conversation::Unsent,
                None => broken(&error.into_error()),
            })),
            Poll::Pending if link.has_ended() => Poll::Ready(Err(reset())),
            Poll::Pending if link.is_late(cx) => Poll::Ready(Err(late())),
            Poll::Pending => Poll::Pending,
        }
    });
    let (parts, mut body) = match answer.await {
        Ok(answer) => answer.into_parts(),
        Err(conversation) => return conversation,
    };
    let mut collected = match Collected::expect(&parts, &body) {
        Ok(collected) => collected,
        Err(conversation) => return conversation,
    };
    let body = poll_fn(|cx| {
        loop {
            match collected.poll(&mut body, cx) {
                Poll::Ready(done) => return Poll::Ready(done),
                Poll::Pending if link.has_ended() => return Poll::Ready(Err(reset())),
                Poll::Pending => link.poll_connection(cx),
            }
            if let Poll::Ready(done) = collected.poll(&mut body, cx) {
                return Poll::Ready(done);
            }
            if !link.has_ended() {
                return if link.is_late(cx) {
                    Poll::Ready(Err(late()))
                } else {
                    Poll::Pending
                };
            }
        }
    });
    let body = match body.await {
        Ok(body) => body,
        Err(conversation) => return conversation,
    };
    if poll_fn(|cx| Poll::Ready(link.is_reusable(cx))).await {
        pool.give_back(link, Instant::now(), watch);
    }
    answered(parts, body)
}

/// Over HTTP/2: another task moves the bytes.
async fn exchange_two(request: http::Request<Body>, mut sender: Sender2) -> Conversation {
    let (parts, mut body) = match sender.try_send_request(request).await {
        Ok(answer) => answer.into_parts(),
        Err(mut error) => {
            return match error.take_message() {
                Some(_) => Conversation::Unsent,
                None => broken(&error.into_error()),
            };
        }
    };
    let mut collected = match Collected::expect(&parts, &body) {
        Ok(collected) => collected,
        Err(conversation) => return conversation,
    };
    match poll_fn(|cx| collected.poll(&mut body, cx)).await {
        Ok(body) => answered(parts, body),
        Err(conversation) => conversation,
    }
}

fn answered(parts: http::response::Parts, body: Bytes) -> Conversation {
    let fields = head::answered(parts.headers);
    Conversation::Answered(Answer {
        status: parts.status,
        fields,
        body,
    })
}

fn request_one(delivery: &Delivery) -> http::Request<Body> {
    let (mut parts, body) = request(delivery);
    parts.uri = Uri::from(target(delivery));
    parts
        .headers
        .insert(header::HOST, authority(delivery).clone());
    http::Request::from_parts(parts, body)
}

fn request_two(delivery: &Delivery) -> Option<http::Request<Body>> {
    let (mut parts, body) = request(delivery);
    let url = &delivery.upstream.settings().url;
    parts.uri = absolute(url, authority(delivery).as_bytes(), target(delivery))?;
    parts.version = http::Version::HTTP_2;
    Some(http::Request::from_parts(parts, body))
}

/// The absolute form that HTTP/2 takes its pseudo fields from.
fn absolute(url: &UpstreamUrl, authority: &[u8], target: http::uri::PathAndQuery) -> Option<Uri> {
    let builder = Uri::builder().scheme(url.scheme().as_str()).authority(authority);
    builder.path_and_query(target).build().ok()
}

fn request(delivery: &Delivery) -> (http::request::Parts, Body) {
    let Delivery {
        webhook,
        overlay,
        attempts,
        ..
    } = delivery;
    // Its length is known, so hyper frames it by an exact `Content-Length`.
    let body = Full::new(overlay.body.as_ref().unwrap_or(&webhook.body).clone());
    let (mut parts, body) = http::Request::new(body).into_parts();
    parts.method = webhook.method.clone();
    parts.headers = head::fields(webhook, overlay, *attempts);
    (parts, body)
}

fn target(delivery: &Delivery) -> http::uri::PathAndQuery {
    let base = delivery.upstream.settings().url.base();
    head::target(base, &delivery.webhook, &delivery.overlay)
}

fn authority(delivery: &Delivery) -> &HeaderValue {
    match &delivery.webhook.host {
        Some(host) if delivery.upstream.settings().preserve_host => host,
        _ => delivery.upstream.host(),
    }
}

/// A body so far. The common one is a single piece, which is passed on without a copy.
#[derive(Default)]
struct Collected {
    only: Bytes,
    many: BytesMut,
}

impl Collected {
    /// Refuses by the head what needs no reading.
    fn expect(parts: &http::response::Parts, body: &Incoming) -> Result<Self, Conversation> {
        if parts.status.is_informational() {
            let reason = "switched protocols without being asked".into();
            return Err(Conversation::Failed(Fault::Protocol, reason));
        }
        if parts.headers.len() > FIELDS_MAX {
            let reason = "answered with more than 100 fields".into();
            return Err(Conversation::Failed(Fault::TooLarge, reason));
        }
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(too_large());
        }
        Ok(Self::default())
    }

    fn poll(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Conversation>> {
        loop {
            // Spares a turn of the connection when the length says that this is all.
            if body.is_end_stream() {
                return Poll::Ready(Ok(self.take()));
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(self.take())),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(&error))),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are dropped: RFC 9110 section 6.5.1.
                    if let Ok(data) = frame.into_data()
                        && !self.add(data)
                    {
                        return Poll::Ready(Err(too_large()));
                    }
                }
            }
        }
    }

    fn add(&mut self, data: Bytes) -> bool {
        if self.only.len() + self.many.len() + data.len() > BODY_BYTES_MAX {
            return false;
        }
        if self.only.is_empty() && self.many.is_empty() {
            self.only = data;
        } else {
            self.many.extend_from_slice(&std::mem::take(&mut self.only));
            self.many.extend_from_slice(&data);
        }
        true
    }

    fn take(&mut self) -> Bytes {
        if self.many.is_empty() {
            std::mem::take(&mut self.only)
        } else {
            std::mem::take(&mut self.many).freeze()
        }
    }
}

fn late() -> Conversation {
    Conversation::Failed(Fault::Timeout, "no complete answer in time".into())
}

fn reset() -> Conversation {
    Conversation::Failed(
        Fault::Reset,
        "the connection closed before the answer was complete".into(),
    )
}

fn too_large() -> Conversation {
    Conversation::Failed(Fault::TooLarge, "answered with more than 1 MiB".into())
}

fn broken(error: &hyper::Error) -> Conversation {
    let fault = if error.is_parse_too_large() {
        Fault::TooLarge
    } else if error.is_parse() {
        Fault::Protocol
    } else if error.is_timeout() {
        Fault::Timeout
    } else if error.is_incomplete_message()
        || error.is_closed()
        || error.is_canceled()
        || error.is_body_write_aborted()
        || error
            .source()
            .is_some_and(|source| source.is::<io::Error>())
    {
        Fault::Reset
    } else {
        Fault::Protocol
    };
    let reason = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Conversation::Failed(fault, reason.into())
}
