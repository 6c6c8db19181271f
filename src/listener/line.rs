//! The bytes of one HTTP/1.1 connection, and the one timer that bounds every wait for them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Limits;
use super::pace::{ANSWER_TIME, LAST_WORDS, first_look};
use crate::drain::Watch;
use crate::http1::{Sending, with_scratch};

/// What a sender still sends after the last answer is read and thrown away for so long, or else the
/// system would reset the connection and take the answer with it (RFC 9112, 9.6) ...
const LINGER_TIME: Duration = Duration::from_secs(5);
/// ... and up to so much: more is not a mistake but a flood.
const LINGER_BYTES_MAX: usize = 16 << 20;

/// A connection's stream with its timer.
pub(super) struct Line<'a, T> {
    stream: T,
    limits: &'a Limits,
    watch: &'a Watch,
    /// When what is being waited for is late.
    due: Instant,
    /// Moved when it fires: never later than `due`, mostly earlier, so that it is seldom moved.
    timer: Pin<Box<Sleep>>,
}

/// One read of a stream.
pub(super) enum Came<R> {
    /// Bytes, and what was made of them.
    Bytes(R),
    /// It ended, or it is broken.
    End,
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin> Line<'a, T> {
    pub(super) fn new(stream: T, now: Instant, limits: &'a Limits, watch: &'a Watch) -> Self {
        let look = now + first_look(limits);
        Self {
            stream,
            limits,
            watch,
            due: look,
            timer: Box::pin(tokio::time::sleep_until(look)),
        }
    }

    /// What is waited for from now on is late at `due`.
    pub(super) fn due_at(&mut self, due: Instant) {
        self.due = due;
        if self.timer.deadline() > due {
            self.timer.as_mut().reset(due);
        }
    }

    /// What is waited for is late at `due`, if not before.
    pub(super) fn hurry(&mut self, due: Instant) {
        self.due_at(self.due.min(due));
    }

    /// Whether what is waited for is late; else the task is woken when it may be.
    pub(super) fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= self.due {
                return true;
            }
            // Whatever comes next, its own limit is kept.
            let look = self.due.min(now + first_look(self.limits));
            self.timer.as_mut().reset(look);
        }
        false
    }

    /// Whether the end was asked for; the task is woken when it is.
    pub(super) fn is_asked_to_end(&self) -> bool {
        self.watch.is_requested()
    }

    /// Reads once, and lets `take` copy what it wants of the bytes that came.
    pub(super) fn poll_read<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Self, &[u8]) -> R,
    ) -> Poll<Came<R>> {
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    Poll::Ready(Came::Bytes(take(self, buffer.filled())))
                }
                Poll::Ready(_) => Poll::Ready(Came::End),
            }
        })
    }

    /// Writes a response, beginning `now`; when it had left.
    pub(super) async fn send(
        &mut self,
        head: &[u8],
        body: &Bytes,
        now: Instant,
    ) -> io::Result<Instant> {
        self.due_at(now + ANSWER_TIME);
        let mut sending = Sending::default();
        let (mut waited, mut hurried) = (false, false);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(sent) = sending.poll(&mut self.stream, head, body, cx) {
                return Poll::Ready(sent);
            }
            waited = true;
            if !hurried && self.is_asked_to_end() {
                hurried = true;
                self.hurry(Instant::now() + LAST_WORDS);
            }
            if self.is_late(cx) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending
        })
        .await?;
        Ok(if waited { Instant::now() } else { now })
    }

    /// Closes, when all has been read.
    pub(super) async fn shut(mut self) {
        let _ = tokio::time::timeout(LAST_WORDS, self.stream.shutdown()).await;
    }

    /// Closes, when the sender may not have sent everything: what it still sends is thrown away.
    pub(super) async fn linger(mut self) {
        let shut = tokio::time::timeout(LAST_WORDS, self.stream.shutdown()).await;
        if !matches!(shut, Ok(Ok(()))) {
            return;
        }
        self.due_at(Instant::now() + LINGER_TIME);
        let mut bytes = 0;
        std::future::poll_fn(|cx| {
            while bytes < LINGER_BYTES_MAX {
                match self.poll_read(cx, |_, came| came.len()) {
                    Poll::Ready(Came::Bytes(count)) => bytes += count,
                    Poll::Ready(Came::End) => return Poll::Ready(()),
                    Poll::Pending if self.is_late(cx) || self.is_asked_to_end() => {
                        return Poll::Ready(());
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Tells a sender that waits for it to go on (RFC 9110, 10.1.1).
    pub(super) async fn say_continue(&mut self) -> io::Result<()> {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut sending = Sending::default();
        std::future::poll_fn(
            |cx| match sending.poll(&mut self.stream, CONTINUE, &[], cx) {
                Poll::Pending if self.is_late(cx) => {
                    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
                }
                polled => polled,
            },
        )
        .await
    }
}
