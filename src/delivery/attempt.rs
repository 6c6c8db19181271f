//! One try at a delivery: a connection, one exchange, and what it meant.
//!
//! The answer is collected before it is judged, within bounds, so that a truncated, endless or
//! oversized one is a failure and never half an answer. Redirects are answers like others: nothing is followed.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use bytes::Bytes;
use http::{StatusCode, header};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::collect::{Collected, Uncollected};
use super::outcome::{Answer, BODY_BYTES_MAX, Failed, Fault, Outcome};
use super::pool::{Http1, Link, Pool, Sender2};
use super::request::Outgoing;
use super::{Cause, Delivery, Upstream, head, retry};
use crate::drain::{Drain, Watch};
use crate::telemetry::{Event, Telemetry};

/// A head beyond this is an attack or a mistake; the count of its fields is bounded by hyper at 100.
pub(super) const HEAD_BYTES_MAX: u32 = 64 << 10;
/// HTTP/2 has no bound on the count of its own.
const FIELDS_MAX: usize = 100;

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

    let (upstream, outgoing) = (&*delivery.upstream, Outgoing::Delivery(delivery));
    let conversation = converse(upstream, &outgoing, worker, started, deadline, watch).await;

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

/// Sends a request as it is, outside of any delivery, and waits for the whole answer.
///
/// # Errors
/// Why there was none, in words.
pub(super) async fn ask(
    upstream: &Upstream,
    request: &http::Request<Bytes>,
) -> Result<Answer, String> {
    let (now, drain) = (Instant::now(), Drain::new());
    let deadline = now + upstream.settings().timeout;
    let outgoing = Outgoing::AsIs(request, &upstream.settings().url);
    match converse(upstream, &outgoing, 0, now, deadline, &drain.watch()).await {
        Conversation::Answered(answer) => Ok(answer),
        Conversation::Unsent => Err("the connection closed at once".to_owned()),
        Conversation::Failed(_, reason) => Err(reason.into()),
    }
}

async fn converse(
    upstream: &Upstream,
    outgoing: &Outgoing<'_>,
    worker: usize,
    now: Instant,
    deadline: Instant,
    watch: &Watch,
) -> Conversation {
    let Some(pool) = upstream.pool(worker) else {
        return Conversation::Failed(Fault::Unreachable, "no worker has a pool".into());
    };
    if let Some(link) = pool.checkout(now).await {
        match exchange(outgoing, link, pool, deadline, watch).await {
            // Replaced once by a fresh connection: not an attempt, for nothing was tried.
            Conversation::Unsent => {}
            told => return told,
        }
    }
    match upstream.connect(pool, deadline, watch).await {
        Ok(link) => exchange(outgoing, link, pool, deadline, watch).await,
        Err((fault, reason)) => Conversation::Failed(fault, reason),
    }
}

async fn exchange(
    outgoing: &Outgoing<'_>,
    link: Link,
    pool: &Pool,
    deadline: Instant,
    watch: &Watch,
) -> Conversation {
    match link {
        Link::One(link) => exchange_one(outgoing, link, pool, deadline, watch).await,
        Link::Two(sender) => {
            let exchange = exchange_two(outgoing, sender);
            tokio::time::timeout_at(deadline, exchange)
                .await
                .unwrap_or_else(|_| late())
        }
    }
}

/// Over HTTP/1.1: this task itself moves the connection's bytes.
async fn exchange_one(
    outgoing: &Outgoing<'_>,
    mut link: Box<Http1>,
    pool: &Pool,
    deadline: Instant,
    watch: &Watch,
) -> Conversation {
    link.set_deadline(deadline);
    let mut answering = std::pin::pin!(link.sender.try_send_request(outgoing.http1()));
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
    if let Some(conversation) = refused_by_head(&parts, &body) {
        return conversation;
    }
    let mut collected = Collected::default();
    let body = poll_fn(|cx| {
        loop {
            match collected.poll(&mut body, cx) {
                Poll::Ready(done) => return Poll::Ready(done.map_err(uncollected)),
                Poll::Pending if link.has_ended() => return Poll::Ready(Err(reset())),
                Poll::Pending => link.poll_connection(cx),
            }
            if let Poll::Ready(done) = collected.poll(&mut body, cx) {
                return Poll::Ready(done.map_err(uncollected));
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
async fn exchange_two(outgoing: &Outgoing<'_>, mut sender: Sender2) -> Conversation {
    let Some(request) = outgoing.http2() else {
        return Conversation::Failed(
            Fault::Protocol,
            "the authority is none that HTTP/2 can say".into(),
        );
    };
    let (parts, mut body) = match sender.try_send_request(request).await {
        Ok(answer) => answer.into_parts(),
        Err(mut error) => {
            return match error.take_message() {
                Some(_) => Conversation::Unsent,
                None => broken(&error.into_error()),
            };
        }
    };
    if let Some(conversation) = refused_by_head(&parts, &body) {
        return conversation;
    }
    let mut collected = Collected::default();
    match poll_fn(|cx| collected.poll(&mut body, cx)).await {
        Ok(body) => answered(parts, body),
        Err(error) => uncollected(error),
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

/// Refuses by the head what needs no reading.
fn refused_by_head(parts: &http::response::Parts, body: &Incoming) -> Option<Conversation> {
    let refused = |fault, reason: &str| Some(Conversation::Failed(fault, reason.into()));
    if parts.status.is_informational() {
        return refused(Fault::Protocol, "switched protocols without being asked");
    }
    if parts.headers.len() > FIELDS_MAX {
        return refused(Fault::TooLarge, "answered with more than 100 fields");
    }
    (body.size_hint().lower() > BODY_BYTES_MAX as u64).then(too_large)
}

fn uncollected(error: Uncollected<hyper::Error>) -> Conversation {
    match error {
        Uncollected::TooLarge => too_large(),
        Uncollected::Broken(error) => broken(&error),
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
