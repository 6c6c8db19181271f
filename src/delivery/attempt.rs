//! One try at a delivery: a connection, one exchange, and what it meant.
//!
//! The answer is collected before it is judged, within bounds, so that a truncated, endless or
//! oversized one is a failure and never half an answer. Redirects are answers like others: nothing is followed.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tokio::time::Instant;

use super::outcome::{self, Answer, Conversation, Failed, Fault, Outcome};
use super::pool::{Link, Pool};
use super::request::Outgoing;
use super::{Cause, Delivery, Upstream, retry, two};
use crate::drain::{Drain, Watch};
use crate::telemetry::{Event, Telemetry};

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
        Conversation::Unsent(reason) => return failed(Fault::Reset, reason.into()),
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
        .first("retry-after")
        .and_then(|value| HeaderValue::from_bytes(value).ok())
        .and_then(|value| retry::retry_after(&value, arrival.wall() + arrival.instant.elapsed()));
    let cause = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Cause::Busy,
        _ => Cause::Failing(status),
    };
    let reason = outcome::answered(status).into();
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
        Conversation::Unsent(reason) => Err(reason.to_owned()),
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
    // Boxed where the connection is fresh: seldom needed, and larger than all the rest of an attempt.
    let told = match pool.checkout(now) {
        Some(link) => exchange(outgoing, link, pool, deadline, watch).await,
        None => Box::pin(afresh(upstream, outgoing, pool, deadline, watch)).await,
    };
    match told {
        // Replaced once by a fresh connection: not an attempt, for nothing was tried.
        Conversation::Unsent(_) => {
            Box::pin(afresh(upstream, outgoing, pool, deadline, watch)).await
        }
        told => told,
    }
}

/// Over a connection of its own.
async fn afresh(
    upstream: &Upstream,
    outgoing: &Outgoing<'_>,
    pool: &Pool,
    deadline: Instant,
    watch: &Watch,
) -> Conversation {
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
        Link::One(mut link) => {
            let (conversation, goes_on) = link.exchange(outgoing, deadline).await;
            if goes_on {
                pool.give_back(link, Instant::now(), watch);
            }
            conversation
        }
        Link::Two(link) => {
            let (conversation, goes_on) = two::exchange(outgoing, &link, deadline).await;
            if !goes_on {
                pool.retire(&link);
            }
            conversation
        }
    }
}
