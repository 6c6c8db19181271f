//! Open connections to one upstream, kept by one worker.
//!
//! An idle HTTP/1.1 connection has no task: it lies here together with its timer, last in first out, and
//! is polled by whoever makes an attempt with it. An HTTP/2 connection is shared by
//! all attempts of the worker and needs a task that drives it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::one::Http1;
use super::outcome::Fault;
use super::sent::Tracked;
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

/// From the end of the last exchange of an HTTP/2 connection that is in no pool to its close: enough for
/// a goodbye. Streams of which an upstream never takes the rest would keep it open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
    shared: Option<Arc<Shared>>,
    swept: bool,
}

/// A connection to make one attempt with.
#[derive(Debug)]
pub(super) enum Link {
    One(Box<Http1>),
    Two(Arc<Shared>),
}

/// An HTTP/2 connection. It ends when neither the pool nor an exchange has it any more.
#[derive(Debug)]
pub(super) struct Shared {
    sender: http2::SendRequest<Tracked>,
    answers: AtomicU64,
    _unused: DropGuard,
}

impl Shared {
    pub(super) fn sender(&self) -> http2::SendRequest<Tracked> {
        self.sender.clone()
    }

    /// How many answers have begun to come: that a connection answers pings says nothing about calls.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// One more has.
    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }
}

impl Pool {
    /// The warmest connection, if any. The upstream may have closed it meanwhile: an exchange notices
    /// before it writes a byte.
    pub(super) fn checkout(&self, now: Instant) -> Option<Link> {
        let mut connections = self.connections();
        if let Some(link) = connections.shared.as_ref() {
            if link.sender.is_ready() {
                return Some(Link::Two(Arc::clone(link)));
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

    /// Lets no other exchange begin on a shared connection; those under way go on.
    pub(super) fn retire(&self, link: &Arc<Shared>) {
        self.connections()
            .shared
            .take_if(|shared| Arc::ptr_eq(shared, link));
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
            let unused = CancellationToken::new();
            let tasks = Tasks {
                watch: watch.clone(),
                unused: unused.clone(),
            };
            let (sender, connection) = http2::Builder::new(tasks.clone())
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_AFTER)
                .keep_alive_timeout(PING_TIME)
                .max_header_list_size(HEAD_LIST_BYTES_MAX)
                .handshake(TokioIo::new(wire))
                .await
                .map_err(broken)?;
            let slot = Arc::downgrade(&self.0);
            tasks.spawn(drive(connection, slot, watch.clone()));
            let link = Arc::new(Shared {
                sender,
                answers: AtomicU64::new(0),
                _unused: unused.drop_guard(),
            });
            if !watch.is_requested() {
                self.connections().shared = Some(Arc::clone(&link));
            }
            return Ok(Link::Two(link));
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

/// hyper's tasks for one HTTP/2 connection, counted by the drain, and cut off when nobody uses it.
#[derive(Clone)]
struct Tasks {
    watch: Watch,
    unused: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

impl Tasks {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        let unused = self.unused.clone();
        self.watch.spawn(async move {
            tokio::select! {
                biased;
                () = task => {}
                () = has_ended(&unused) => {}
            }
        });
    }
}

async fn has_ended(unused: &CancellationToken) {
    unused.cancelled().await;
    tokio::time::sleep(LAST_WORDS).await;
}
