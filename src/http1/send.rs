//! Sends a head and a body in as few writes as the stream takes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// How far sending has come.
#[derive(Debug, Default)]
pub struct Sending {
    sent: usize,
}

impl Sending {
    /// Whether a byte has left.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.sent > 0
    }

    /// Goes on; ready when all of both has left and the stream is flushed. To be called with the same
    /// bytes each time.
    ///
    /// # Errors
    /// The stream's, and that it takes nothing any more.
    pub fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut W,
        head: &[u8],
        body: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < head.len() + body.len() {
            let head_left = head.get(self.sent..).unwrap_or_default();
            let body_sent = self.sent.saturating_sub(head.len());
            let body_left = body.get(body_sent..).unwrap_or_default();
            let stream = Pin::new(&mut *stream);
            let count = if body_left.is_empty() {
                ready!(stream.poll_write(cx, head_left))?
            } else if head_left.is_empty() {
                ready!(stream.poll_write(cx, body_left))?
            } else {
                let both = [IoSlice::new(head_left), IoSlice::new(body_left)];
                ready!(stream.poll_write_vectored(cx, &both))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
        }
        Pin::new(stream).poll_flush(cx)
    }
}
