//! The orderly end: one signal that everybody can see, and a count of the tasks that must finish.
//!
//! [`Drain`] is not `Clone`: who holds it can end the process. Everybody else gets a [`Watch`].

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// That the end was asked for: a flag for those who look, a token for those who wait. Looking happens
/// for every webhook on every worker, and the token would take a lock for it.
#[derive(Debug, Default)]
struct Request {
    is_made: AtomicBool,
    token: CancellationToken,
}

/// Asks for the end and waits for it.
#[derive(Debug)]
pub struct Drain {
    requested: Arc<Request>,
    tasks: TaskTracker,
}

/// Sees that the end was asked for, and keeps it waiting for the tasks it spawned.
#[derive(Clone, Debug)]
pub struct Watch {
    requested: Arc<Request>,
    tasks: TaskTracker,
}

impl Drain {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            requested: Arc::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// For those who must notice.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch {
            requested: Arc::clone(&self.requested),
            tasks: self.tasks.clone(),
        }
    }

    /// Asks everybody to end.
    pub fn request(&self) {
        self.requested.is_made.store(true, Ordering::Relaxed);
        self.requested.token.cancel();
        self.tasks.close();
    }

    /// Resolves when every tracked task has ended. Dropping the future only stops the waiting.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// Resolves when the end was asked for. Safe to drop and to call again.
    pub async fn requested(&self) {
        self.requested.token.cancelled().await;
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.is_made.load(Ordering::Relaxed)
    }

    /// Spawns a task on the current runtime that the drain waits for. The only way to spawn.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// The same on another runtime.
    pub fn spawn_on<F>(&self, runtime: &Handle, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn_on(task, runtime);
    }
}
