//! Wires all rooms: bound, then running, then drained. The only room that knows them all.
//!
//! One control thread (signals, reload, admin) and one worker thread a core, each with a runtime, an
//! accept socket and upstream connections of its own; a webhook never leaves its worker.

mod keys;
mod letters;
mod operators;
mod running;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::admin::{self, Admin, Phase, Readiness, ReloadRequest};
use crate::config::Plan;
use crate::delivery::{Buffer, DeadLetters, Dispatch, Duplicates, Left};
use crate::drain::Drain;
use crate::gate::{Gate, Routes};
use crate::listener::{self, BindError, Certificates, Shared};
use crate::telemetry::{Event, Telemetry};
pub use running::Drained;
use worker::Worker;

/// What outlives a plan: it is made once, and every plan of a process is compiled against it.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// Where events go.
    pub telemetry: Telemetry,
    /// Accepted deliveries that wait, all routes and workers together.
    pub buffer: Buffer,
    /// Deliveries that were given up.
    pub dead: Arc<DeadLetters>,
    /// Keys of accepted deliveries.
    pub duplicates: Arc<Duplicates>,
}

/// Bound, not serving.
#[derive(Debug)]
pub struct Server {
    plan: Plan,
    foundation: Foundation,
    sockets: listener::Sockets,
    admin: Option<admin::Bound>,
}

/// Serving.
#[derive(Debug)]
pub struct Running {
    plan: Arc<ArcSwap<Plan>>,
    routes: Arc<ArcSwap<Routes>>,
    certificates: Arc<ArcSwapOption<Certificates>>,
    telemetry: Telemetry,
    buffer: Buffer,
    permits: Arc<Semaphore>,
    readiness: Arc<Readiness>,
    connections: Drain,
    deliveries: Drain,
    admin: Drain,
    flush_until: watch::Sender<Option<Instant>>,
    workers: Vec<JoinHandle<io::Result<Vec<Left>>>>,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address of the webhooks.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The address of the admin.
    #[error(transparent)]
    Admin(#[from] admin::BindError),
    /// A thread or a runtime.
    #[error("cannot start a worker")]
    Worker(#[from] io::Error),
}

/// A plan that only a new process can follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} takes effect at a start only: restart, or take the change back")]
pub struct NeedsRestart {
    setting: &'static str,
}

impl Foundation {
    /// Nothing waits, nothing was given up.
    #[must_use]
    pub fn new(telemetry: Telemetry, buffer: Buffer) -> Self {
        let (dead, duplicates) = (Arc::new(DeadLetters::new()), Arc::new(Duplicates::new()));
        Self {
            telemetry,
            buffer,
            dead,
            duplicates,
        }
    }
}

impl Server {
    /// Binds every address of the plan. Everything that can fail at start fails here or before, and
    /// not at the first webhook.
    ///
    /// # Errors
    /// An address that cannot be bound.
    pub fn bind(plan: Plan, foundation: Foundation) -> Result<Self, StartError> {
        foundation.buffer.resize(plan.buffer);
        let sockets = listener::bind(&plan.listener.addresses, plan.workers)?;
        let admin = plan.admin.clone().map(Admin::bind).transpose()?;
        Ok(Self {
            plan,
            foundation,
            sockets,
            admin,
        })
    }

    /// Where webhooks are taken; free ports resolved.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.sockets.addresses()
    }

    /// Where the admin listens, if it does.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(admin::Bound::address)
    }

    /// Starts the workers, and the admin on the present runtime. Reloads that the admin is asked for
    /// go to `reload`.
    ///
    /// # Errors
    /// A thread that cannot be started; nothing serves then.
    pub fn start(self, reload: mpsc::Sender<ReloadRequest>) -> Result<Running, StartError> {
        let tls = self.plan.listener.tls.is_some();
        let webhooks = self
            .addresses()
            .iter()
            .map(|&address| ("webhooks", address, tls));
        let admins = self
            .admin_address()
            .into_iter()
            .map(|address| ("admin", address, false));
        for (listener, address, tls) in webhooks.chain(admins) {
            self.foundation.telemetry.emit(&Event::Listening {
                listener,
                address,
                tls,
            });
        }
        let Self {
            plan,
            foundation,
            sockets,
            admin,
        } = self;
        let (flush_until, flush) = watch::channel(None);
        let shared = Shared::new(&plan.listener, foundation.telemetry.clone());
        let mut running = Running {
            routes: Arc::new(ArcSwap::from(Arc::clone(&plan.routes))),
            plan: Arc::new(ArcSwap::from_pointee(plan)),
            certificates: Arc::clone(&shared.tls),
            telemetry: foundation.telemetry.clone(),
            buffer: foundation.buffer.clone(),
            permits: Arc::clone(&shared.permits),
            readiness: Arc::new(Readiness::new()),
            connections: Drain::new(),
            deliveries: Drain::new(),
            admin: Drain::new(),
            flush_until,
            workers: Vec::new(),
        };
        let mut dispatches = Vec::new();
        for (index, sockets) in sockets.into_workers().into_iter().enumerate() {
            let dispatch = Dispatch::new(
                index,
                foundation.buffer.clone(),
                Arc::clone(&foundation.dead),
                Arc::clone(&foundation.duplicates),
                foundation.telemetry.clone(),
                running.deliveries.watch(),
            );
            let gate = Gate::new(
                Arc::clone(&running.routes),
                dispatch.clone(),
                foundation.telemetry.clone(),
                running.connections.watch(),
            );
            dispatches.push(dispatch.clone());
            let (shared, connections) = (shared.clone(), running.connections.watch());
            let flush_until = flush.clone();
            let worker = Worker {
                index,
                sockets,
                shared,
                gate,
                dispatch,
                connections,
                flush_until,
            };
            running.workers.push(worker.start()?);
        }
        if let Some(bound) = admin {
            running.serve_admin(bound, &shared, foundation, dispatches, reload)?;
        }
        running.look_after_keys();
        running.readiness.enter(Phase::Ready);
        Ok(running)
    }
}
