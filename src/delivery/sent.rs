//! A body over HTTP/2 that tells whether the connection has written all of it.
//!
//! hyper asks a body for its bytes long before the upstream's window lets them out, so that they were
//! asked for says nothing. They are sent when the last of them has been taken out of the buffer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

/// A body of one piece.
#[derive(Debug)]
pub(super) struct Tracked(Option<Piece>);

/// Bytes that are on their way out.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    sent: Arc<AtomicBool>,
}

/// Whether the body is out.
#[derive(Clone, Debug)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Tracked {
    /// A body of these bytes, and who knows whether they are out. No bytes are out at once.
    pub(super) fn new(bytes: Bytes) -> (Self, Sent) {
        let sent = Arc::new(AtomicBool::new(bytes.is_empty()));
        let told = Sent(Arc::clone(&sent));
        let piece = (!bytes.is_empty()).then_some(Piece { bytes, sent });
        (Self(piece), told)
    }
}

impl Sent {
    pub(super) fn is_whole(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Body for Tracked {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        Poll::Ready(self.get_mut().0.take().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.0.as_ref().map_or(0, Buf::remaining);
        SizeHint::with_exact(left as u64)
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if self.bytes.is_empty() {
            self.sent.store(true, Ordering::Release);
        }
    }
}
