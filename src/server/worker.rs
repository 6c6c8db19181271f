//! One worker: a thread with a runtime, an accept socket and upstream connections of its own.

use std::io;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::delivery::{Dispatch, Rest, TakenUp};
use crate::drain::Watch;
use crate::gate::{Call, Gate};
use crate::listener::{self, Admitted, Listening, Peer, Shared};
use crate::message::{Head, Malformed, Response, Unread};
use crate::webhook::Scheme;

/// Everything one worker needs.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) sockets: Vec<Listening>,
    pub(super) shared: Shared,
    pub(super) gate: Gate,
    pub(super) dispatch: Dispatch,
    /// Its part of what an earlier process left.
    pub(super) taken: TakenUp,
    /// Tracks connections; requested first.
    pub(super) connections: Watch,
    /// Dropped when `taken` has been taken up.
    pub(super) taken_up: Sender<()>,
    /// Set when the connections have ended: until when to flush what waits.
    pub(super) flush_until: watch::Receiver<Option<Instant>>,
}

impl Worker {
    /// Starts the thread; it ends after the flush and gives what was left behind.
    pub(super) fn start(self) -> io::Result<JoinHandle<io::Result<Rest>>> {
        thread::Builder::new()
            .name(format!("worker-{}", self.index))
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(self.run())
            })
    }

    async fn run(mut self) -> io::Result<Rest> {
        self.dispatch.take_up(self.taken);
        drop(self.taken_up);
        for Listening { socket, tenure } in self.sockets {
            let socket = TcpListener::from_std(socket)?;
            let (shared, service) = (self.shared.clone(), GateService(self.gate.clone()));
            let watch = self.connections.clone();
            let serving = listener::serve(socket, tenure, shared, service, watch);
            self.connections.spawn(serving);
        }
        // The sender is dropped only with the server, and then there is nothing to wait for either.
        let until = match self.flush_until.wait_for(Option::is_some).await {
            Ok(until) => until.unwrap_or_else(Instant::now),
            Err(_) => Instant::now(),
        };
        Ok(self
            .dispatch
            .flush(until.saturating_duration_since(Instant::now()))
            .await)
    }
}

/// The gate as a listener sees it.
#[derive(Clone)]
struct GateService(Gate);

impl listener::Service for GateService {
    type Call = Call;

    fn admit(&self, head: Head, peer: Peer) -> Result<Admitted<Call>, Response> {
        let scheme = if peer.secure {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let call = self.0.admit(head, peer.address, scheme)?;
        Ok(Admitted {
            body_bytes_max: call.body_bytes_max(),
            body_time: call.body_time(),
            call,
        })
    }

    async fn answer(&self, call: Call, body: Bytes) -> Response {
        self.0.answer(call, body).await
    }

    fn unread(&self, call: Call, why: Unread) -> Response {
        self.0.unread(&call, why)
    }

    fn malformed(&self, why: Malformed, peer: Peer) -> Response {
        self.0.malformed(why, peer.address)
    }
}
