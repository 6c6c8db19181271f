//! Open connections to one upstream, kept by one worker.
//!
//! An idle HTTP/1.1 connection has no task: it lies here together with its timer, last in first out, and
//! is polled by whoever makes an attempt with it. An HTTP/2 connection is shared by
//! all attempts of the worker and needs a task that drives it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use super::one::Http1;
use super::outcome::Fault;
use super::wire::Wire;
use crate::drain::Watch;

/// More than a worker has in flight to one upstream in a burst; what exceeds it is closed.
const IDLE_MAX: usize = 128;
/// Node closes idle connections after 5 s, Go never, nginx after 75 s, most balancers after 60 s. A
/// connection the upstream has closed is noticed at checkout, so this bounds descriptors, not errors.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// An HTTP/2 connection that has streams open and has been silent for this long is asked for a sign of life.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(10);

/// As HTTP/2 counts a list of fields.
const HEAD_LIST_BYTES_MAX: u32 = 64 << 10;

pub(super) type Body = Full<Bytes>;
pub(super) type Sender2 = http2::SendRequest<Body>;

/// A worker's connections to one upstream.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Connections>>);

#[derive(Debug, Default)]
struct Connections {
    /// Oldest first.
    #[expect(
        clippy::vec_box,
        reason = "a connection moves between pool and attempt as a pointer"
    )]
    idle: Vec<Box<Http1>>,
    shared: Option<Sender2>,
    swept: bool,
}

/// A connection to make one attempt with.
#[derive(Debug)]
pub(super) enum Link {
    One(Box<Http1>),
    Two(Sender2),
}

impl Pool {
    /// The warmest connection, if any. The upstream may have closed it meanwhile: an exchange notices
    /// before it writes a byte.
    pub(super) fn checkout(&self, now: Instant) -> Option<Link> {
        let mut connections = self.connections();
        if let Some(sender) = connections.shared.as_ref() {
            if sender.is_ready() {
                return Some(Link::Two(sender.clone()));
            }
            connections.shared = None;
        }
        let link = connections.idle.pop()?;
        if now.saturating_duration_since(link.idle_since) < IDLE_TIME {
            return Some(Link::One(link));
        }
        // The warmest is too cold, so all are.
        connections.idle.clear();
        None
    }

    /// Gives a connection back, whose answer has been read to its end.
    pub(super) fn give_back(&self, mut link: Box<Http1>, now: Instant, watch: &Watch) {
        link.idle_since = now;
        let mut connections = self.connections();
        if connections.idle.len() >= IDLE_MAX {
            return;
        }
        connections.idle.push(link);
        // After the end was asked for, nobody waits for a sweep.
        if !connections.swept && !watch.is_requested() {
            connections.swept = true;
            watch.spawn(sweep(Arc::downgrade(&self.0), watch.clone()));
        }
    }

    /// Makes a connection of `wire`; a shared one is put into the pool at once.
    pub(super) async fn adopt(
        &self,
        wire: Wire,
        http2: bool,
        deadline: Instant,
        watch: &Watch,
    ) -> Result<Link, (Fault, Box<str>)> {
        let broken = |error: hyper::Error| (Fault::Protocol, error.to_string().into());
        if http2 {
            let (sender, connection) = http2::Builder::new(Tasks(watch.clone()))
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_AFTER)
                .keep_alive_timeout(PING_TIME)
                .max_header_list_size(HEAD_LIST_BYTES_MAX)
                .handshake(TokioIo::new(wire))
                .await
                .map_err(broken)?;
            let slot = Arc::downgrade(&self.0);
            watch.spawn(drive(connection, slot, watch.clone()));
            if !watch.is_requested() {
                self.connections().shared = Some(sender.clone());
            }
            return Ok(Link::Two(sender));
        }
        Ok(Link::One(Box::new(Http1::new(wire, deadline))))
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.0)
    }
}

/// Closes what has been idle for too long, until nothing is idle.
async fn sweep(slot: Weak<Mutex<Connections>>, watch: Watch) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(IDLE_TIME) => {}
            () = watch.requested() => return,
        }
        let Some(slot) = slot.upgrade() else { return };
        let now = Instant::now();
        let mut connections = lock(&slot);
        connections
            .idle
            .retain(|link| now.saturating_duration_since(link.idle_since) < IDLE_TIME);
        if connections.idle.is_empty() {
            connections.swept = false;
            return;
        }
    }
}

/// Drives an HTTP/2 connection; when the end is asked for, the pool lets go of it, and the last attempt
/// that uses it ends it.
async fn drive<C>(connection: C, slot: Weak<Mutex<Connections>>, watch: Watch)
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = watch.requested() => {}
    }
    if let Some(slot) = slot.upgrade() {
        lock(&slot).shared = None;
    }
    // Its end or its error has been told to every attempt that used it.
    drop(connection.await);
}

fn lock(slot: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    // A pool is a cache: whatever a panic left in it is checked at checkout.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// hyper's tasks for HTTP/2, counted by the drain.
#[derive(Clone)]
struct Tasks(Watch);

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
