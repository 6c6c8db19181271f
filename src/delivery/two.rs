//! One exchange over HTTP/2: another task moves the bytes, and it is hyper's.

use std::error::Error;
use std::future::poll_fn;
use std::io;

use h2::Reason;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::collect::{Collected, Uncollected};
use super::outcome::{Answer, BODY_BYTES_MAX, Conversation, Fault};
use super::pool::Shared;
use super::request::Outgoing;
use super::sent::Tracked;
use super::{ANSWER_LIMITS, head};
use crate::message::Fields;

/// Sends a request and waits for the whole answer, until `deadline`; whether the connection can take
/// other ones. Dropping the future resets the stream.
pub(super) async fn exchange(
    outgoing: &Outgoing<'_>,
    link: &Shared,
    deadline: Instant,
) -> (Conversation, bool) {
    let answers = link.answers();
    let conversing = Box::pin(converse(outgoing, link));
    match tokio::time::timeout_at(deadline, conversing).await {
        Ok(told) => told,
        // That one is late is its own affair as long as others are answered.
        Err(_elapsed) => (Conversation::late(), link.answers() != answers),
    }
}

async fn converse(outgoing: &Outgoing<'_>, link: &Shared) -> (Conversation, bool) {
    let Some(request) = outgoing.http2() else {
        let reason = "the authority is none that HTTP/2 can say";
        return (Conversation::wrong(reason), true);
    };
    let (parts, body) = request.into_parts();
    let (body, sent) = Tracked::new(body);
    let request = http::Request::from_parts(parts, body);
    let answer = match link.sender().try_send_request(request).await {
        Ok(answer) => answer,
        Err(mut error) => {
            let told = match error.take_message() {
                Some(_) => Conversation::unsent(),
                None => unanswered(&error.into_error()),
            };
            return (told, true);
        }
    };
    link.answered();
    let told = taken(answer).await;
    // What is stuck in the window of an upstream that has answered stays there.
    let is_sent = sent.is_whole();
    match told {
        // It cannot have taken what has not been sent, whatever it says.
        Conversation::Answered(answer) if !is_sent && answer.status.is_success() => {
            let reason = "answered before the webhook was sent";
            (Conversation::wrong(reason), is_sent)
        }
        told => (told, is_sent),
    }
}

/// An answer, whole.
async fn taken(answer: http::Response<Incoming>) -> Conversation {
    let (parts, mut body) = answer.into_parts();
    if let Some(refused) = refused_by_head(&parts, &body) {
        return refused;
    }
    let mut collected = Collected::default();
    match poll_fn(|cx| collected.poll(&mut body, cx)).await {
        Ok(body) => {
            let mut fields = Fields::from(&parts.headers);
            head::keep_for_the_sender(&mut fields);
            Conversation::Answered(Answer {
                status: parts.status,
                fields,
                body,
            })
        }
        Err(Uncollected::TooLarge) => Conversation::too_large(),
        Err(Uncollected::CutOff) => Conversation::reset(),
        Err(Uncollected::Broken(error)) => broken(&error),
    }
}

/// Refuses by the head what needs no reading.
fn refused_by_head(parts: &http::response::Parts, body: &Incoming) -> Option<Conversation> {
    if parts.headers.len() > ANSWER_LIMITS.count_max {
        let reason = "answered with more than 100 fields";
        return Some(Conversation::Failed(Fault::TooLarge, reason.into()));
    }
    (body.size_hint().lower() > BODY_BYTES_MAX as u64).then(Conversation::too_large)
}

/// No head came. What the upstream says it has not begun with is as good as never sent: a stream that
/// it refused (RFC 9113, 8.7), and one beyond the last of its GOAWAY (6.8).
fn unanswered(error: &hyper::Error) -> Conversation {
    match source::<h2::Error>(error) {
        Some(error) if error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM) => {
            Conversation::Unsent("the upstream refused the stream unread")
        }
        // A stream that the GOAWAY leaves to be answered ends with the connection's own error.
        Some(error) if error.is_remote() && error.is_go_away() => {
            Conversation::Unsent("the upstream was ending the connection")
        }
        _ => broken(error),
    }
}

fn broken(error: &hyper::Error) -> Conversation {
    let ended = source::<h2::Error>(error).is_some_and(|error| error.is_io() || error.is_remote());
    let fault = if error.is_timeout() {
        Fault::Timeout
    } else if ended
        || error.is_closed()
        || error.is_canceled()
        || source::<io::Error>(error).is_some()
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

/// The first of this kind among what led to an error.
fn source<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}
