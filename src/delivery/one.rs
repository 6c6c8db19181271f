//! An HTTP/1.1 connection to an upstream, and one exchange over it.
//!
//! The task that makes the attempt moves the bytes itself: there is no task of the connection's own, so
//! nothing is handed from one to another, and dropping the exchange closes the connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::outcome::{Answer, BODY_BYTES_MAX, Conversation, Fault};
use super::request::Outgoing;
use super::wire::Wire;
use super::{ANSWER_LIMITS, head};
use crate::http1::{self, Answered, Chunks, Decoded, Framing, Sending, with_scratch};
use crate::message::Malformed;

/// Interim answers (RFC 9110, 15.2) before the final one; servers send one or two.
const INTERIM_MAX: u32 = 16;
/// What an upstream said before it broke off is here within this time, or not at all.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// An answer's first memory: what it declares costs nothing until it comes.
const FIRST_BYTES: usize = 16 << 10;
/// A head of a request that grew beyond this is not kept for the next one.
const HEAD_KEPT_MAX: usize = 4 << 10;

/// A connection with all that belongs to it; dropping it closes it.
#[derive(Debug)]
pub(super) struct Http1 {
    wire: Wire,
    /// The head of the request, written into the same memory each time.
    head: Vec<u8>,
    /// Kept over attempts: moving a registered timer to a later time is one atomic exchange, whereas a
    /// new one would take the timer wheel's lock twice.
    timer: Pin<Box<Sleep>>,
    pub(super) idle_since: Instant,
}

/// One read of a connection.
enum Came<R> {
    Bytes(R),
    /// The upstream has said all that it will.
    End,
    Broken,
}

impl Http1 {
    pub(super) fn new(wire: Wire, deadline: Instant) -> Self {
        Self {
            wire,
            head: Vec::new(),
            timer: Box::pin(tokio::time::sleep_until(deadline)),
            idle_since: deadline,
        }
    }

    /// Sends a request and waits for the whole answer, until `deadline`; whether the connection can
    /// take another one.
    pub(super) async fn exchange(
        &mut self,
        outgoing: &Outgoing<'_>,
        deadline: Instant,
    ) -> (Conversation, bool) {
        self.head.clear();
        let body = outgoing.write_http1(&mut self.head);
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        let mut sending = Sending::default();
        let mut is_sent = false;
        let mut is_cut = false;
        let mut reading = Reading::new(!outgoing.is_head());
        let (conversation, goes_on) = poll_fn(|cx| {
            if !sending.has_begun() {
                // It may have closed, or said something unasked, while it lay in the pool.
                match self.poll_read(cx, |_| ()) {
                    Poll::Pending => {}
                    Poll::Ready(_) => return Poll::Ready((Conversation::unsent(), false)),
                }
            }
            if !is_sent && !is_cut {
                match sending.poll(&mut self.wire, &self.head, &body, cx) {
                    Poll::Ready(Ok(())) => is_sent = true,
                    Poll::Ready(Err(_)) if !sending.has_begun() => {
                        return Poll::Ready((Conversation::unsent(), false));
                    }
                    // It takes no more, and may have said why: then that is about to be heard.
                    Poll::Ready(Err(_)) => {
                        is_cut = true;
                        let patience = Instant::now() + LAST_WORDS;
                        self.timer.as_mut().reset(patience.min(deadline));
                    }
                    Poll::Pending => {}
                }
            }
            loop {
                match self.poll_read(cx, |came| reading.take(came)) {
                    Poll::Ready(Came::Bytes(Ok(None))) => {}
                    Poll::Ready(Came::Bytes(Ok(Some(End { answer, goes_on })))) => {
                        // It cannot have taken what has not been sent, whatever it says.
                        if !is_sent && answer.status.is_success() {
                            let reason = "answered before the webhook was sent";
                            return Poll::Ready((Conversation::wrong(reason), false));
                        }
                        let goes_on = goes_on && is_sent;
                        return Poll::Ready((Conversation::Answered(answer), goes_on));
                    }
                    Poll::Ready(Came::Bytes(Err(told))) => return Poll::Ready((told, false)),
                    Poll::Ready(Came::End) => return Poll::Ready((reading.end(), false)),
                    Poll::Ready(Came::Broken) => {
                        return Poll::Ready((Conversation::reset(), false));
                    }
                    Poll::Pending if self.is_late(cx) => {
                        let told = match is_cut {
                            true => Conversation::reset(),
                            false => Conversation::late(),
                        };
                        return Poll::Ready((told, false));
                    }
                    Poll::Pending => return Poll::Pending,
                }
                if Instant::now() >= deadline {
                    return Poll::Ready((Conversation::late(), false));
                }
            }
        })
        .await;
        if self.head.capacity() > HEAD_KEPT_MAX {
            self.head = Vec::new();
        }
        (conversation, goes_on)
    }

    /// Whether the deadline has passed; else the task is woken then.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().poll(cx).is_ready()
    }

    fn poll_read<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Poll<Came<R>> {
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut self.wire).poll_read(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(_)) => Poll::Ready(Came::Broken),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Came::End),
                Poll::Ready(Ok(())) => Poll::Ready(Came::Bytes(take(buffer.filled()))),
            }
        })
    }
}

/// A complete answer, and whether its connection goes on.
struct End {
    answer: Answer,
    goes_on: bool,
}

/// An answer so far.
struct Reading {
    has_body: bool,
    interim: u32,
    /// A head that is not complete.
    partial: Vec<u8>,
    head: Option<Answered>,
    coming: Coming,
    body: Vec<u8>,
}

enum Coming {
    Counted(usize),
    Chunks(Chunks),
    UntilClose,
}

impl Reading {
    fn new(has_body: bool) -> Self {
        Self {
            has_body,
            interim: 0,
            partial: Vec::new(),
            head: None,
            coming: Coming::Counted(0),
            body: Vec::new(),
        }
    }

    /// Takes what came; the answer when that completes it.
    fn take(&mut self, came: &[u8]) -> Result<Option<End>, Conversation> {
        if self.head.is_some() {
            return self.take_body(came);
        }
        if self.partial.is_empty() {
            return self.take_head(came);
        }
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(came);
        self.take_head(&all)
    }

    fn take_head(&mut self, mut bytes: &[u8]) -> Result<Option<End>, Conversation> {
        loop {
            let parsed = http1::response(bytes, &ANSWER_LIMITS, self.has_body);
            let Some(mut answered) = parsed.map_err(malformed)? else {
                self.partial.extend_from_slice(bytes);
                return Ok(None);
            };
            bytes = bytes.get(answered.bytes..).unwrap_or_default();
            if answered.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Conversation::wrong(
                    "switched protocols without being asked",
                ));
            }
            if answered.status.is_informational() {
                self.interim += 1;
                if self.interim > INTERIM_MAX {
                    return Err(Conversation::wrong("answered with interim answers only"));
                }
                continue;
            }
            self.coming = match answered.framing {
                Framing::Length(length) => match usize::try_from(length) {
                    Ok(length) if length <= BODY_BYTES_MAX => {
                        self.body.reserve_exact(length.min(FIRST_BYTES));
                        Coming::Counted(length)
                    }
                    _ => return Err(Conversation::too_large()),
                },
                Framing::Chunked => Coming::Chunks(Chunks::default()),
                Framing::UntilClose => Coming::UntilClose,
            };
            head::keep_for_the_sender(&mut answered.fields);
            self.head = Some(answered);
            return self.take_body(bytes);
        }
    }

    fn take_body(&mut self, came: &[u8]) -> Result<Option<End>, Conversation> {
        let used = match &mut self.coming {
            Coming::Counted(left) => {
                let here = came.len().min(*left);
                self.body
                    .extend_from_slice(came.get(..here).unwrap_or_default());
                *left -= here;
                if *left > 0 {
                    return Ok(None);
                }
                here
            }
            Coming::Chunks(chunks) => match chunks.decode(came, &mut self.body, BODY_BYTES_MAX) {
                Decoded::More => return Ok(None),
                Decoded::Done(used) => used,
                Decoded::Wrong => return Err(Conversation::wrong("its chunks are none")),
                Decoded::TooBig => return Err(Conversation::too_large()),
            },
            Coming::UntilClose => {
                if self.body.len() + came.len() > BODY_BYTES_MAX {
                    return Err(Conversation::too_large());
                }
                self.body.extend_from_slice(came);
                return Ok(None);
            }
        };
        // Surplus bytes would be read as the next answer.
        let is_all = used == came.len();
        Ok(self.whole(is_all))
    }

    /// The upstream has closed.
    fn end(&mut self) -> Conversation {
        match self.coming {
            Coming::UntilClose => match self.whole(false) {
                Some(End { answer, .. }) => Conversation::Answered(answer),
                None => Conversation::reset(),
            },
            _ => Conversation::reset(),
        }
    }

    fn whole(&mut self, is_all: bool) -> Option<End> {
        let head = self.head.take()?;
        let mut body = std::mem::take(&mut self.body);
        body.shrink_to_fit();
        Some(End {
            answer: Answer {
                status: head.status,
                fields: head.fields,
                body: Bytes::from(body),
            },
            goes_on: head.keeps_alive && is_all,
        })
    }
}

fn malformed(why: Malformed) -> Conversation {
    match why {
        Malformed::TooLarge => {
            let reason = "answered with a head of more than 64 KiB or 100 fields";
            Conversation::Failed(Fault::TooLarge, reason.into())
        }
        Malformed::Version => Conversation::wrong("answered in another protocol than HTTP/1.1"),
        Malformed::Syntax(why) => Conversation::wrong(why),
    }
}
