//! Wires all rooms: bound, then running, then drained. The only room that knows them all.
//!
//! One control thread (signals, reload, admin) and one worker thread a core, each with a runtime, an
//! accept socket and upstream connections of its own; a webhook never leaves its worker.

mod keys;
mod letters;
mod operators;
mod running;
mod stranded;
mod waits;
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
use crate::delivery::{
    Buffer, Commons, DeadLetters, Dispatch, Duplicates, Keeping, Rest, Storage, TakenUp,
};
use crate::drain::Drain;
use crate::gate::{Gate, Memory, Routes};
use crate::listener::{self, BindError, Certificates, Shared, Succession, Tenure};
use crate::spool::{Found, FoundRow, SpoolError};
use crate::telemetry::{Event, SpoolEvent, Telemetry};
use crate::webhook::Arrival;
pub use running::Drained;
use stranded::Stranded;
use worker::Worker;

/// What outlives a plan: it is made once, and every plan of a process is compiled against it.
#[derive(Debug)]
pub struct Foundation {
    commons: Commons,
    /// What an earlier process left on disk.
    found: Found,
    /// When it was opened.
    opened: Instant,
}

/// Bound, not serving.
#[derive(Debug)]
pub struct Server {
    plan: Plan,
    foundation: Foundation,
    sockets: listener::Sockets,
    admin: Option<(admin::Bound, Tenure)>,
}

/// Serving.
#[derive(Debug)]
pub struct Running {
    plan: Arc<ArcSwap<Plan>>,
    routes: Arc<ArcSwap<Routes>>,
    certificates: Arc<ArcSwapOption<Certificates>>,
    commons: Commons,
    /// What the spool holds and the plan has no place for.
    stranded: Arc<Stranded>,
    dispatches: Vec<Dispatch>,
    /// How calls ended that came to no delivery, by worker.
    memories: Vec<Arc<Memory>>,
    permits: Arc<Semaphore>,
    readiness: Arc<Readiness>,
    connections: Drain,
    deliveries: Drain,
    admin: Drain,
    flush_until: watch::Sender<Option<Instant>>,
    workers: Vec<JoinHandle<io::Result<Rest>>>,
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
    /// A socket that was passed to this process and is for nothing.
    #[error(
        "a socket was passed for `{address}`, and nothing listens there: name it in `server.listen`, or take \
         it out of what passes it (`ListenStream=` in a systemd socket unit)"
    )]
    Unasked {
        /// Where it listens.
        address: SocketAddr,
    },
    /// A thread or a runtime.
    #[error("cannot start a worker")]
    Worker(#[from] io::Error),
}

impl StartError {
    /// Whether another process has an address.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        let source = match self {
            Self::Listen(BindError { source, .. }) => source,
            Self::Admin(admin::BindError::Taken { source, .. }) => source,
            _ => return false,
        };
        source.kind() == io::ErrorKind::AddrInUse
    }
}

/// A plan that only a new process can follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} takes effect at a start only: restart, or take the change back")]
pub struct NeedsRestart {
    setting: &'static str,
}

impl Foundation {
    /// Opens what is held, if a process before this one has left anything. Blocking.
    ///
    /// # Errors
    /// A spool that cannot be used.
    pub fn open(
        telemetry: Telemetry,
        buffer: Buffer,
        storage: &Storage,
    ) -> Result<Self, SpoolError> {
        let opened = Instant::now();
        let (keeping, mut found) = storage.open(&telemetry)?;
        let duplicates = Arc::new(Duplicates::new());
        if let Keeping::Spool(spool) = &keeping {
            duplicates.keep_in(spool.clone());
        }
        duplicates.recall(std::mem::take(&mut found.keys), Arrival::now());
        let commons = Commons {
            buffer,
            dead: Arc::new(DeadLetters::new()),
            duplicates,
            telemetry,
            keeping,
        };
        Ok(Self {
            commons,
            found,
            opened,
        })
    }
}

impl Server {
    /// Binds every address of the plan for which no socket is passed. Everything that can fail at
    /// start fails here or before, and not at the first webhook.
    ///
    /// # Errors
    /// An address that cannot be bound; a passed socket for an address that is none of the plan's.
    pub fn bind(
        plan: Plan,
        foundation: Foundation,
        mut succession: Succession,
    ) -> Result<Self, StartError> {
        foundation.commons.buffer.resize(plan.buffer);
        let sockets = listener::bind(&plan.listener.addresses, plan.workers, &mut succession)?;
        let mut tenure = Tenure::Own;
        let admin = plan.admin.clone().map(|admin| {
            Admin::bind(admin, |address| {
                let opened = succession.open(address)?;
                tenure = opened.tenure;
                Ok(opened.socket)
            })
        });
        let admin = admin.transpose()?.map(|bound| (bound, tenure));
        if let Some(address) = succession.left() {
            return Err(StartError::Unasked { address });
        }
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
        self.admin.as_ref().map(|(bound, _)| bound.address())
    }

    /// Starts the workers, and the admin on the present runtime, when what was found is taken up. Blocks
    /// for that. Reloads that the admin is asked for
    /// go to `reload`.
    ///
    /// # Errors
    /// A thread that cannot be started; nothing serves then.
    pub fn start(self, reload: mpsc::Sender<ReloadRequest>) -> Result<Running, StartError> {
        self.tell_addresses();
        let Self {
            plan,
            foundation,
            sockets,
            admin,
        } = self;
        let (flush_until, flush) = watch::channel(None);
        let Foundation {
            commons,
            found,
            opened,
        } = foundation;
        let shared = Shared::new(&plan.listener, commons.telemetry.clone());
        let mut taken = open_spool(found, &plan, &commons, opened);
        let stranded = std::mem::take(&mut taken.stranded);
        let stranded = Arc::new(Stranded::new(stranded, commons.clone()));
        let mut taken = taken.split(plan.workers).into_iter();
        let mut running = Running {
            routes: Arc::new(ArcSwap::from(Arc::clone(&plan.routes))),
            plan: Arc::new(ArcSwap::from_pointee(plan)),
            certificates: Arc::clone(&shared.tls),
            commons: commons.clone(),
            stranded,
            dispatches: Vec::new(),
            memories: Vec::new(),
            permits: Arc::clone(&shared.permits),
            readiness: Arc::new(Readiness::new()),
            connections: Drain::new(),
            deliveries: Drain::new(),
            admin: Drain::new(),
            flush_until,
            workers: Vec::new(),
        };
        let (taken_up, all_taken_up) = std::sync::mpsc::channel();
        for (index, sockets) in sockets.into_workers().into_iter().enumerate() {
            let dispatch = Dispatch::new(index, commons.clone(), running.deliveries.watch());
            let gate = Gate::new(
                Arc::clone(&running.routes),
                dispatch.clone(),
                commons.telemetry.clone(),
            );
            running.dispatches.push(dispatch.clone());
            running.memories.push(gate.memory());
            let (shared, connections) = (shared.clone(), running.connections.watch());
            let flush_until = flush.clone();
            let worker = Worker {
                index,
                sockets,
                shared,
                gate,
                dispatch,
                taken: taken.next().unwrap_or_default(),
                connections,
                taken_up: taken_up.clone(),
                flush_until,
            };
            running.workers.push(worker.start()?);
        }
        drop(taken_up);
        // Who asks where a webhook is must not be told "nowhere" of one that is on its way to its worker.
        // Nobody sends anything: it ends when the last worker has let go.
        let _ = all_taken_up.recv();
        if let Some((bound, tenure)) = admin {
            running.serve_admin(bound, tenure, &shared, reload)?;
        }
        running.look_after_keys();
        running.readiness.enter(Phase::Ready);
        Ok(running)
    }

    fn tell_addresses(&self) {
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
            self.foundation.commons.telemetry.emit(&Event::Listening {
                listener,
                address,
                tls,
            });
        }
    }
}

/// Sorts what was found at the start, and tells how much it is.
fn open_spool(found: Found, plan: &Plan, commons: &Commons, opened: Instant) -> TakenUp {
    let taken = take_up(found.rows, plan, commons);
    if commons.keeping.spool().is_some() {
        let (deliveries, dead_letters) = taken.counts();
        commons.telemetry.emit(&Event::Spool(SpoolEvent::Opened {
            deliveries,
            dead_letters,
            stranded: taken.stranded.len(),
            was_cut: found.was_cut,
            took: opened.elapsed(),
        }));
    }
    taken
}

/// Sorts what was found by the plan.
fn take_up(rows: Vec<FoundRow>, plan: &Plan, commons: &Commons) -> TakenUp {
    let Some(spool) = commons.keeping.spool() else {
        return TakenUp::default();
    };
    let (telemetry, duplicates) = (&commons.telemetry, &commons.duplicates);
    let now = Arrival::now();
    TakenUp::sort(rows, spool, plan, duplicates, telemetry, now)
}
