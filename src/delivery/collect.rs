//! Collects an answer's body within its bound.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::Body;

use super::outcome::BODY_BYTES_MAX;

/// A body so far. The common one is a single piece, which is passed on without a copy.
#[derive(Debug, Default)]
pub(super) struct Collected {
    only: Bytes,
    many: BytesMut,
}

/// Why a body was not collected.
#[derive(Debug)]
pub(super) enum Uncollected<E> {
    TooLarge,
    /// It ended without having come to its end.
    CutOff,
    Broken(E),
}

impl Collected {
    /// Takes what is there. Ready with the whole body, never with a part of it.
    pub(super) fn poll<B>(
        &mut self,
        body: &mut B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Uncollected<B::Error>>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        loop {
            // Spares a turn of the connection when the length says that this is all.
            if body.is_end_stream() {
                return Poll::Ready(Ok(self.take()));
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                // hyper tells a stream that was reset with NO_ERROR as one that ended.
                Poll::Ready(None) if body.is_end_stream() => return Poll::Ready(Ok(self.take())),
                Poll::Ready(None) => return Poll::Ready(Err(Uncollected::CutOff)),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(Uncollected::Broken(error)));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are dropped: RFC 9110 section 6.5.1.
                    if let Ok(data) = frame.into_data()
                        && !self.add(data)
                    {
                        return Poll::Ready(Err(Uncollected::TooLarge));
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
