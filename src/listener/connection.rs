//! One connection: the handshake and its deadline, the protocol, the end.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::answer::{self, Untaken};
use super::pace::{Due, Pace, first_look};
use super::{Certificates, Limits, Peer, Service, Shared};
use crate::drain::Watch;
use crate::telemetry::Event;

/// The body of a call as it comes in.
pub type Incoming = hyper::body::Incoming;

/// An answer that is not taken within this time after the connection was asked to end is cut off.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What is written when a head was too slow; hyper has no say at that point (RFC 9110, 15.5.9).
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// One read of this size takes a typical webhook whole; larger bodies arrive in several.
const H1_BUFFER_MAX: usize = 64 << 10;
/// What one stream may send before its body is read: a typical webhook whole.
const H2_STREAM_WINDOW: u32 = 64 << 10;
/// The same for all streams of a connection.
const H2_CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of unread answers that a stream may hold: without it, senders that never read hold memory.
const H2_SEND_BUFFER_MAX: usize = 64 << 10;
/// Streams reset before they were accepted (rapid reset); hyper's own default, said aloud.
const H2_PENDING_RESETS_MAX: usize = 20;
/// A connection that does not answer a ping is gone.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves one connection to its end. Dropping the future closes it.
pub(super) async fn run<S: Service>(
    tcp: TcpStream,
    tls: Option<Arc<Certificates>>,
    peer: Peer,
    shared: &Shared,
    service: S,
    watch: Watch,
) {
    shared.telemetry.emit(&Event::ConnectionOpened);
    match tls {
        None => h1(tcp, peer, shared, service, &watch).await,
        Some(certificates) => {
            let handshake = TlsAcceptor::from(certificates.config()).accept(tcp);
            // Boxed: it is ten times the size of what follows and gone after a millisecond.
            match tokio::time::timeout(shared.limits.handshake_time, Box::pin(handshake)).await {
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                    h2(stream, peer, shared, service, &watch).await;
                }
                Ok(Ok(stream)) => h1(stream, peer, shared, service, &watch).await,
                Ok(Err(error)) => {
                    let (peer, reason) = (peer.address.ip(), error.to_string());
                    shared.telemetry.emit(&Event::HandshakeFailed {
                        peer,
                        reason: &reason,
                    });
                }
                Err(_elapsed) => {
                    let reason = "it took too long";
                    let peer = peer.address.ip();
                    shared
                        .telemetry
                        .emit(&Event::HandshakeFailed { peer, reason });
                }
            }
        }
    }
    shared.telemetry.emit(&Event::ConnectionClosed);
}

async fn h1<S, T>(stream: T, peer: Peer, shared: &Shared, service: S, watch: &Watch)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let pace = Arc::new(Pace::new(Instant::now(), Arc::clone(&shared.untaken)));
    let io = TokioIo::new(Paced {
        stream,
        pace: Arc::clone(&pace),
    });
    let answered = service_fn(|request| answer(service.clone(), request, peer, Arc::clone(&pace)));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // `Pace` times heads and pauses; hyper would make a timer for every head.
        .header_read_timeout(None)
        .max_headers(limits.header_count_max)
        .max_header_size(limits.header_bytes_max)
        .max_buf_size(H1_BUFFER_MAX.max(limits.header_bytes_max))
        .serve_connection(io, answered);
    let end = {
        let mut connection = pin!(&mut connection);
        watched(connection.as_mut(), &pace, limits, watch).await
    };
    match end {
        End::Closed => {}
        End::HeadTooSlow => {
            let mut stream = connection.into_parts().io.into_inner().stream;
            let _ = tokio::time::timeout(LAST_WORDS, async {
                stream.write_all(TOO_SLOW).await?;
                stream.shutdown().await
            })
            .await;
        }
        End::Asked => {
            let mut connection = pin!(connection);
            connection.as_mut().graceful_shutdown();
            finish(connection, &pace, limits).await;
        }
    }
}

async fn h2<S, T>(stream: T, peer: Peer, shared: &Shared, service: S, watch: &Watch)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let pace = Arc::new(Pace::new(Instant::now(), Arc::clone(&shared.untaken)));
    // Not `Paced`: what comes between two calls may be a ping, and is no head that has begun.
    let io = TokioIo::new(stream);
    let answered = service_fn({
        let pace = Arc::clone(&pace);
        move |request| answer(service.clone(), request, peer, Arc::clone(&pace))
    });
    let header_bytes_max = u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(Tracked(watch.clone()))
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams_max)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_send_buf_size(H2_SEND_BUFFER_MAX)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
        .max_header_list_size(header_bytes_max)
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_TIMEOUT)
        .serve_connection(io, answered);
    let mut connection = pin!(connection);
    match watched(connection.as_mut(), &pace, limits, watch).await {
        End::Closed => {}
        End::HeadTooSlow | End::Asked => {
            connection.as_mut().graceful_shutdown();
            finish(connection, &pace, limits).await;
        }
    }
}

/// Why serving a connection stopped.
enum End {
    /// It is closed already.
    Closed,
    /// A head took too long.
    HeadTooSlow,
    /// It was idle, an answer was not taken, or the process drains.
    Asked,
}

/// Drives a connection until it closes or must end.
async fn watched<C, E>(
    mut connection: Pin<&mut C>,
    pace: &Pace,
    limits: &Limits,
    watch: &Watch,
) -> End
where
    C: Future<Output = Result<(), E>>,
{
    let mut timer = pin!(tokio::time::sleep(first_look(limits)));
    let mut requested = pin!(watch.requested());
    let mut is_waiting = false;
    std::future::poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            // An error here is the sender's bytes or its hanging up; hyper has answered what it could.
            return Poll::Ready(End::Closed);
        }
        // Polled once to be woken by it; from then on a look at the flag will do.
        if !is_waiting {
            is_waiting = true;
            let _ = requested.as_mut().poll(cx);
        }
        // A call that is on its way is let in and told to come back: a close would leave its sender in
        // doubt. The time of a head bounds the wait.
        if watch.is_requested() && !pace.is_in_head() {
            return Poll::Ready(End::Asked);
        }
        while timer.as_mut().poll(cx).is_ready() {
            match pace.due(Instant::now(), limits) {
                Due::In(wait) => timer.as_mut().reset(Instant::now() + wait),
                Due::HeadTooSlow => return Poll::Ready(End::HeadTooSlow),
                Due::Idle | Due::NotTaken => return Poll::Ready(End::Asked),
            }
        }
        Poll::Pending
    })
    .await
}

/// Lets a connection that was asked to end finish its calls, and cuts it off when nobody takes the
/// answers.
async fn finish<C: Future>(mut connection: Pin<&mut C>, pace: &Pace, limits: &Limits) {
    while tokio::time::timeout(LAST_WORDS, connection.as_mut())
        .await
        .is_err()
    {
        if !pace.is_busy() || pace.due(Instant::now(), limits) == Due::NotTaken {
            return;
        }
    }
}

/// Not an `async fn`: the call has begun when hyper hands it over, before it looks for more bytes, and
/// not when its future is first polled.
fn answer<S: Service>(
    service: S,
    request: Request<Incoming>,
    peer: Peer,
    pace: Arc<Pace>,
) -> impl Future<Output = Result<Response<Untaken>, std::convert::Infallible>> + Send {
    /// A call is over when its future is dropped too: the sender hung up.
    struct Answered(Arc<Pace>);
    impl Drop for Answered {
        fn drop(&mut self) {
            self.0.answered(Instant::now());
        }
    }
    pace.call();
    let answered = Answered(pace);
    async move {
        let response = service.call(request, peer).await;
        Ok(answer::enter(response, &answered.0))
    }
}

/// A stream that tells its [`Pace`] when bytes are wanted and when they arrive.
struct Paced<T> {
    stream: T,
    pace: Arc<Pace>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pace.asked();
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.read(Instant::now);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Spawns the streams of an HTTP/2 connection as tasks that the drain waits for.
#[derive(Clone)]
struct Tracked(Watch);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
