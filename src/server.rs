//! Wires all rooms: bound, then running, then drained. The only room that knows them all.
//!
//! One control thread (signals, reload, admin) and one worker thread a core, each with a runtime, an
//! accept socket and upstream connections of its own; a webhook never leaves its worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admin::{self, Admin, Readiness};
use crate::config::Plan;
use crate::delivery::{Buffer, DeadLetters, Dispatch, Duplicates, Left};
use crate::drain::{Drain, Watch};
use crate::gate::{self, Gate, Intake, Routes};
use crate::listener::{self, BindError, Certificates, Incoming, Peer, Shared};
use crate::telemetry::{Event, Telemetry};
use crate::webhook::Scheme;

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
    routes: Arc<ArcSwap<Routes>>,
    certificates: Arc<ArcSwapOption<Certificates>>,
    plan: Arc<ArcSwap<Plan>>,
    foundation: Foundation,
    readiness: Arc<Readiness>,
    connections: Drain,
    deliveries: Drain,
    grace: watch::Sender<Option<Instant>>,
    workers: Vec<JoinHandle<io::Result<Vec<Left>>>>,
}

/// How it ended.
#[derive(Debug)]
pub enum Drained {
    /// Everything acknowledged was delivered.
    Clean,
    /// These were acknowledged and are lost with the process.
    Left(Vec<Left>),
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address of the webhooks' listener.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The admin's address.
    #[error(transparent)]
    Admin(#[from] admin::BindError),
    /// A thread or a runtime.
    #[error("cannot start a worker")]
    Worker(#[from] io::Error),
}

impl Foundation {
    /// Nothing waits, nothing was given up.
    #[must_use]
    pub fn new(telemetry: Telemetry, buffer: Buffer) -> Self {
        let dead = Arc::new(DeadLetters::new());
        let duplicates = Arc::new(Duplicates::new());
        Self { telemetry, buffer, dead, duplicates }
    }
}

impl Server {
    /// Binds every address of the plan. Everything that can fail at start fails here, before the first
    /// webhook is taken.
    ///
    /// # Errors
    /// An address that cannot be bound.
    pub fn bind(plan: Plan, foundation: Foundation) -> Result<Self, StartError> {
        let sockets = listener::bind(&plan.listener.addresses, plan.workers)?;
        let admin = plan.admin.as_ref().map(admin::Bound::new).transpose()?;
        Ok(Self { plan, foundation, sockets, admin })
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
}
