//! One HTTP/2 connection (RFC 9113). The frames are hyper's; the bounds and the end are ours.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use http::{Request, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::answer::{self, Untaken};
use super::bodies::{Bodies, Held};
use super::body::Gathered;
use super::pace::{Due, LAST_WORDS, Pace, first_look};
use super::{Admitted, Limits, Peer, Service, Shared};
use crate::drain::Watch;
use crate::message::{Fields, Head, Malformed, Response, Unread};

/// What one stream may send before its body is read: a typical webhook whole.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of unread answers that a stream may hold: without it, senders that never read hold memory.
const SEND_BUFFER_MAX: usize = 64 << 10;
/// Streams reset before they were accepted (rapid reset); hyper's own default, said aloud.
const PENDING_RESETS_MAX: usize = 20;
/// A connection that does not answer a ping is gone.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves one connection to its end. Dropping the future closes it.
pub(super) async fn run<S, T>(stream: T, peer: Peer, shared: &Shared, service: S, watch: &Watch)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let fields_max = limits.header_count_max;
    let pace = Arc::new(Pace::new(Instant::now(), Arc::clone(&shared.untaken)));
    let answered = service_fn({
        let (pace, bodies) = (Arc::clone(&pace), Arc::clone(&shared.bodies));
        move |request| {
            let (pace, bodies) = (Arc::clone(&pace), Arc::clone(&bodies));
            answer(service.clone(), request, peer, fields_max, pace, bodies)
        }
    });
    let header_bytes_max = u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(Tracked(watch.clone()))
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams_max)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_header_list_size(header_bytes_max)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answered);
    let mut connection = pin!(connection);
    if watched(connection.as_mut(), &pace, limits, watch).await == End::Asked {
        connection.as_mut().graceful_shutdown();
        finish(connection, &pace, limits).await;
    }
}

/// Why serving a connection stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is closed already.
    Closed,
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
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            // An error here is the sender's bytes or its hanging up; hyper has answered what it could.
            return Poll::Ready(End::Closed);
        }
        // Polled once to be woken by it; from then on a look at the flag will do.
        if !is_waiting {
            is_waiting = true;
            let _ = requested.as_mut().poll(cx);
        }
        if watch.is_requested() {
            return Poll::Ready(End::Asked);
        }
        while timer.as_mut().poll(cx).is_ready() {
            match pace.due(Instant::now(), limits) {
                Due::In(wait) => timer.as_mut().reset(Instant::now() + wait),
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

/// Not an `async fn`: the call has begun when hyper hands it over, and not when its future is first
/// polled.
fn answer<S: Service>(
    service: S,
    request: Request<Incoming>,
    peer: Peer,
    fields_max: usize,
    pace: Arc<Pace>,
    bodies: Arc<Bodies>,
) -> impl Future<Output = Result<http::Response<Untaken>, Infallible>> + Send {
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
        // hyper bounds the bytes of a head, and not its fields.
        let response = if request.headers().len() > fields_max {
            service.malformed(Malformed::TooLarge, peer)
        } else {
            converse(&service, request, peer, &bodies).await
        };
        Ok(answer::enter(response, &answered.0))
    }
}

async fn converse<S: Service>(
    service: &S,
    request: Request<Incoming>,
    peer: Peer,
    bodies: &Arc<Bodies>,
) -> Response {
    let (parts, body) = request.into_parts();
    let declared = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    let Admitted {
        call,
        body_bytes_max,
        body_time,
    } = match service.admit(head(parts), peer) {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    if declared.is_some_and(|length| length > body_bytes_max) {
        return service.unread(call, Unread::TooBig);
    }
    let held = Held::new(bodies, peer.address.ip());
    let collecting = collect(body, declared, body_bytes_max, held);
    match tokio::time::timeout(body_time, collecting).await {
        Ok(Ok(body)) => service.answer(call, body).await,
        Ok(Err(why)) => service.unread(call, why),
        Err(_elapsed) => service.unread(call, Unread::TooSlow),
    }
}

fn head(parts: http::request::Parts) -> Head {
    let target = parts.uri.path_and_query().cloned();
    Head {
        method: parts.method,
        target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
        authority: parts.uri.authority().map(|name| name.as_str().into()),
        version: Version::HTTP_2,
        fields: Fields::from(&parts.headers),
    }
}

/// The whole body, in memory of its own: a frame is a piece of a larger read.
async fn collect(
    mut body: Incoming,
    declared: Option<usize>,
    bytes_max: usize,
    held: Held,
) -> Result<Bytes, Unread> {
    let mut gathered = Gathered::new(declared.unwrap_or(bytes_max), held);
    while let Some(frame) = body.frame().await {
        // Trailers are not part of a call and are dropped.
        if let Ok(data) = frame.map_err(|_| Unread::CutOff)?.into_data() {
            gathered.add(&data)?;
        }
    }
    // hyper tells a stream that was reset with NO_ERROR as one that ended.
    let is_whole = declared.is_none_or(|length| length == gathered.len());
    if !body.is_end_stream() || !is_whole {
        return Err(Unread::CutOff);
    }
    Ok(gathered.finish())
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
