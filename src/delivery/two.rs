//! One exchange over HTTP/2: another task moves the bytes, and it is hyper's.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;

use hyper::body::{Body as _, Incoming};

use super::collect::{Collected, Uncollected};
use super::outcome::{Answer, BODY_BYTES_MAX, Conversation, Fault};
use super::pool::Sender2;
use super::request::Outgoing;
use super::{ANSWER_LIMITS, head};
use crate::message::Fields;

/// Sends a request and waits for the whole answer. Dropping the future resets the stream.
pub(super) async fn exchange(outgoing: &Outgoing<'_>, mut sender: Sender2) -> Conversation {
    let Some(request) = outgoing.http2() else {
        return Conversation::wrong("the authority is none that HTTP/2 can say");
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

fn broken(error: &hyper::Error) -> Conversation {
    let fault = if error.is_timeout() {
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
