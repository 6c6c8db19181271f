//! Open connections to one upstream, kept by one worker.
//!
//! An idle HTTP/1.1 connection has no task: it lies here together with its sender and its timer, last
//! in first out, and is polled by whoever makes an attempt with it. An HTTP/2 connection is shared by
//! all attempts of the worker and needs a task that drives it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, Sleep};

use super::attempt::HEAD_BYTES_MAX;
use super::outcome::Fault;
use super::wire::Wire;
use crate::drain::Watch;

/// More than a worker has in flight to one upstream in a burst; what exceeds it is closed.
const IDLE_MAX: usize = 128;
/// Node closes idle connections after 5 s, Go never, nginx after 75 s, most balancers after 60 s. A
/// connection the upstream has closed is noticed at checkout, so this bounds descriptors, not errors.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// For this long after an exchange a connection is taken without a look at its socket.
const FRESH: Duration = Duration::from_millis(100);
/// An HTTP/2 connection that has streams open and has been silent for this long is asked for a sign of life.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(10);

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

/// An HTTP/1.1 connection with all that belongs to it; dropping it closes it.
#[derive(Debug)]
pub(super) struct Http1 {
    pub(super) sender: http1::SendRequest<Body>,
    connection: http1::Connection<TokioIo<Wire>, Body>,
    ended: bool,
    /// Kept over attempts: moving a registered timer to a later time is one atomic exchange, whereas a
    /// new one would take the timer wheel's lock twice.
    timer: Pin<Box<Sleep>>,
    idle_since: Instant,
}

impl Pool {
    /// The warmest connection that is still alive, if any. Nothing is written to it.
    pub(super) async fn checkout(&self, now: Instant) -> Option<Link> {
        loop {
            let mut link = {
                let mut connections = self.connections();
                if let Some(sender) = connections.shared.as_ref() {
                    if sender.is_ready() {
                        return Some(Link::Two(sender.clone()));
                    }
                    connections.shared = None;
                }
                connections.idle.pop()?
            };
            let idle = now.saturating_duration_since(link.idle_since);
            // It was alive when it came back. A moment later only the attempt itself can tell, and a
            // connection that is found closed then has sent nothing and is replaced.
            if idle < FRESH {
                return Some(Link::One(link));
            }
            // The upstream may have closed it, or said something unasked, while it lay here.
            let alive = poll_fn(|cx| Poll::Ready(link.is_reusable(cx))).await;
            if alive && idle < IDLE_TIME {
                return Some(Link::One(link));
            }
        }
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
                .max_header_list_size(HEAD_BYTES_MAX)
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
        let (sender, connection) = http1::Builder::new()
            .max_header_size(HEAD_BYTES_MAX as usize)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(broken)?;
        Ok(Link::One(Box::new(Http1 {
            sender,
            connection,
            ended: false,
            timer: Box::pin(tokio::time::sleep_until(deadline)),
            idle_since: deadline,
        })))
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.0)
    }
}

impl Http1 {
    /// When the attempt must be over.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
    }

    /// Moves bytes in both directions; to be called whenever the attempt waits for something.
    pub(super) fn poll_connection(&mut self, cx: &mut Context<'_>) {
        if !self.ended {
            // What went wrong is told to the answer's future or to its body, not here.
            self.ended = Pin::new(&mut self.connection).poll(cx).is_ready();
        }
    }

    /// Whether nothing more will ever come.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the deadline has passed; else the task is woken then.
    pub(super) fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        // A flood of bytes uses up the task's budget, and a timer without budget is never ready: the
        // clock has the last word.
        self.timer.as_mut().poll(cx).is_ready() || Instant::now() >= self.timer.deadline()
    }

    /// Whether it is between two exchanges: open, silent, and not in the middle of anything.
    pub(super) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_connection(cx);
        !self.ended && self.sender.is_ready()
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
