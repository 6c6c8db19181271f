//! Where a guest's standard output and error go: the end of it is kept, for the sentence about a trap.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A panic's message and the first frames of its backtrace.
const TAIL_BYTES_MAX: usize = 4 << 10;

/// The last bytes written, by whichever stream.
///
/// Synchronous and bounded, and not `AsyncWriteStream`: that one let guests grow the host's memory
/// (GHSA-5m8g-xhq4-4h93).
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    pub(super) fn clear(&self) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.clear();
    }

    pub(super) fn text(&self) -> String {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(bytes.make_contiguous()).into_owned()
    }
}

impl OutputStream for Tail {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let new = bytes.slice(bytes.len().saturating_sub(TAIL_BYTES_MAX)..);
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = (tail.len() + new.len()).saturating_sub(TAIL_BYTES_MAX);
        tail.drain(..surplus);
        tail.extend(new);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(TAIL_BYTES_MAX)
    }
}

impl Pollable for Tail {
    fn ready<'s, 'f>(&'s mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(std::future::ready(()))
    }
}

impl IsTerminal for Tail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Tail {
    /// Of WASI 0.3 only, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let mut tail = Tail::default();

        tail.write(Bytes::from_static(b"first ")).unwrap();
        tail.write(Bytes::from(vec![b'x'; TAIL_BYTES_MAX - 3]))
            .unwrap();
        tail.write(Bytes::from_static(b"end")).unwrap();

        let text = tail.text();
        assert_eq!(text.len(), TAIL_BYTES_MAX);
        assert!(text.starts_with("xxx") && text.ends_with("xend"));
        tail.write(Bytes::from(vec![b'y'; 3 * TAIL_BYTES_MAX]))
            .unwrap();
        assert_eq!(tail.text(), "y".repeat(TAIL_BYTES_MAX));
    }
}
