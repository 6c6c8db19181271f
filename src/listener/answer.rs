//! An answer on its way out: its bytes stand in a ledger until the connection has taken them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::{Frame, SizeHint};
use http_body_util::Full;

use super::pace::{Pace, Turn};
use crate::message::Response;

/// Bytes of answers not yet taken, all connections of a listener together: sixty-four answers of the
/// largest kind that upstreams give, a hundred thousand of the usual kind. Senders take theirs within a
/// round trip; only those who never read come near.
const UNTAKEN_BYTES_MAX: usize = 64 << 20;

/// The bytes of answers that were made and not yet taken, 64 MiB at most: an answer above that keeps its
/// status and loses its body.
#[derive(Debug)]
pub struct Ledger {
    bytes: AtomicUsize,
    max: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::with_max(UNTAKEN_BYTES_MAX)
    }
}

impl Ledger {
    fn with_max(max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            max,
        }
    }

    /// Whether there was room for these bytes; then they are entered.
    fn enter(&self, bytes: usize) -> bool {
        // Added before it is known to fit: one operation instead of a loop. Others may be refused
        // meanwhile, and only where the bound has been met already.
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before
            .checked_add(bytes)
            .is_some_and(|after| after <= self.max);
        if !fits {
            self.strike(bytes);
        }
        fits
    }

    fn strike(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The place of an HTTP/1.1 answer in the ledger; given back when dropped.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    ledger: &'a Ledger,
    bytes: usize,
}

impl<'a> Claim<'a> {
    /// For an answer with a body of so many bytes; none when there is no room for them.
    pub(super) fn of(bytes: usize, ledger: &'a Ledger) -> Option<Self> {
        ledger.enter(bytes).then_some(Self { ledger, bytes })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.ledger.strike(self.bytes);
    }
}

/// Enters an HTTP/2 answer into the ledger.
///
/// Above the bound it keeps its status and loses its body: the status is what became of the webhook,
/// and a sender must not be told another because its neighbours do not read.
pub(super) fn enter(response: Response, pace: &Arc<Pace>) -> http::Response<Untaken> {
    let Response {
        status,
        fields,
        body,
        ..
    } = response;
    let mut headers = HeaderMap::from(&fields);
    let (bytes, full) = (body.len(), Full::new(body));
    let body = if bytes == 0 {
        Untaken { full, entry: None }
    } else if pace.ledger().enter(bytes) {
        let entry = Entry {
            pace: Arc::clone(pace),
            bytes,
            turn: pace.made(),
        };
        Untaken {
            full,
            entry: Some(entry),
        }
    } else {
        // It speaks of the body that is gone; nothing is no valid gzip.
        headers.remove(CONTENT_ENCODING);
        Untaken {
            full: Full::default(),
            entry: None,
        }
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The place of an answer in the ledger and in its connection's pace; given back when dropped.
#[derive(Debug)]
struct Entry {
    pace: Arc<Pace>,
    bytes: usize,
    turn: Turn,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.pace.ledger().strike(self.bytes);
        self.pace.taken(self.turn);
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Untaken {
    full: Full<Bytes>,
    entry: Option<Entry>,
}

impl http_body::Body for Untaken {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        let polled = Pin::new(&mut self.full).poll_frame(cx);
        polled.map(|frame| {
            let frame = frame?;
            Some(frame.map(|frame| {
                frame.map_data(|bytes| Piece {
                    bytes,
                    _entry: self.entry.take(),
                })
            }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.full.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.full.size_hint()
    }
}

/// The bytes of an answer. hyper polls a body long before its bytes can leave and drops them when they
/// have left, so the entry goes with the bytes.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    _entry: Option<Entry>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, Untaken, enter};
    use crate::listener::pace::Pace;
    use crate::message::Response;
    use bytes::Bytes;
    use http::StatusCode;
    use http::header::CONTENT_ENCODING;
    use http_body::Body as _;
    use http_body_util::BodyExt as _;
    use std::sync::Arc;
    use tokio::time::Instant;

    fn pace(max: usize) -> Arc<Pace> {
        Arc::new(Pace::new(Instant::now(), Arc::new(Ledger::with_max(max))))
    }

    fn answer(body: &'static str, pace: &Arc<Pace>) -> http::Response<Untaken> {
        let mut answer = Response::new(StatusCode::CREATED);
        answer.fields.put("content-encoding", b"gzip");
        answer.body = Bytes::from_static(body.as_bytes());
        enter(answer, pace)
    }

    #[test]
    fn an_answer_above_the_bound_keeps_its_status_and_loses_its_body() {
        let pace = pace(10);
        let fits = answer("0123456789", &pace);
        let above = answer("x", &pace);

        assert_eq!(fits.body().size_hint().exact(), Some(10));
        assert_eq!(fits.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(above.status(), 201);
        assert!(above.body().is_end_stream());
        assert_eq!(above.headers().get(CONTENT_ENCODING), None);
    }

    #[test]
    fn an_answer_that_is_dropped_makes_room() {
        let pace = pace(10);
        drop(answer("0123456789", &pace));

        let next = answer("0123456789", &pace);

        assert!(!next.body().is_end_stream());
    }

    #[tokio::test]
    async fn bytes_make_room_when_they_have_left_and_not_when_they_are_asked_for() {
        let pace = pace(10);
        let mut body = answer("0123456789", &pace).into_body();
        let piece = body.frame().await.unwrap().unwrap();
        drop(body);

        assert!(answer("x", &pace).body().is_end_stream());
        drop(piece);
        assert!(!answer("x", &pace).body().is_end_stream());
    }
}
