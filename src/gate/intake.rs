//! Reads a body whole: bounded in size, in time, and in what all bodies together may hold.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use http_body_util::BodyExt;

/// Bodies that are being read, all connections together. Without it, the connections times the largest
/// body is what strangers could make us hold.
const BYTES_MAX: usize = 256 << 20;

/// First allocation for a body that does not say how long it is.
const FIRST_BYTES: usize = 8 << 10;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Larger than the route takes; the route's limit in bytes.
    TooBig(usize),
    /// Not complete in time.
    TooSlow,
    /// Broken framing, or the sender went away.
    CutOff,
    /// Too many bodies are being read.
    Full,
}

/// What is being read at the moment.
#[derive(Debug, Default)]
pub struct Intake {
    bytes: AtomicUsize,
}

impl Intake {
    /// The whole body. A declared length is refused before a byte is read; `Expect: 100-continue` is
    /// answered by the first read, so not before the route was found.
    pub(super) async fn read<B>(
        &self,
        body: B,
        headers: &HeaderMap,
        bytes_max: usize,
        time: Duration,
    ) -> Result<Bytes, Unread>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let declared = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse::<usize>().ok());
        if declared.is_some_and(|length| length > bytes_max) {
            return Err(Unread::TooBig(bytes_max));
        }
        match tokio::time::timeout(time, self.collect(body, declared, bytes_max)).await {
            Ok(read) => read,
            Err(_elapsed) => Err(Unread::TooSlow),
        }
    }

    async fn collect<B>(
        &self,
        mut body: B,
        declared: Option<usize>,
        bytes_max: usize,
    ) -> Result<Bytes, Unread>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut held = Held {
            intake: self,
            bytes: 0,
        };
        let Some(first) = data(&mut body).await? else {
            return Ok(Bytes::new());
        };
        held.add(first.len())?;
        if first.len() > bytes_max {
            return Err(Unread::TooBig(bytes_max));
        }
        if body.is_end_stream() || declared == Some(first.len()) {
            // The usual webhook came in one read: its bytes are the socket's, not a copy.
            return match data(&mut body).await? {
                None => Ok(first),
                Some(_) => Err(Unread::CutOff),
            };
        }
        let mut whole = BytesMut::with_capacity(declared.unwrap_or(FIRST_BYTES).max(first.len()));
        whole.extend_from_slice(&first);
        drop(first);
        while let Some(next) = data(&mut body).await? {
            if whole.len() + next.len() > bytes_max {
                return Err(Unread::TooBig(bytes_max));
            }
            held.add(next.len())?;
            whole.extend_from_slice(&next);
        }
        Ok(whole.freeze())
    }
}

/// The next data frame; trailers are not part of a webhook and are dropped.
async fn data<B>(body: &mut B) -> Result<Option<Bytes>, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| Unread::CutOff)?.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// The bytes of one body in the count, given back when it has been read or refused.
struct Held<'a> {
    intake: &'a Intake,
    bytes: usize,
}

impl Held<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), Unread> {
        let before = self.intake.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > BYTES_MAX {
            Err(Unread::Full)
        } else {
            Ok(())
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.intake.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
