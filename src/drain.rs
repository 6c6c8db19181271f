//! The orderly end: one signal that everybody can see, and a count of the tasks that must finish.
//!
//! [`Drain`] is not `Clone`: who holds it can end the process. Everybody else gets a [`Watch`].

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Asks for the end and waits for it.
#[derive(Debug)]
pub struct Drain {
    requested: CancellationToken,
    tasks: TaskTracker,
}

/// Sees that the end was asked for, and keeps it waiting for the tasks it spawned.
#[derive(Clone, Debug)]
pub struct Watch {
    requested: CancellationToken,
    tasks: TaskTracker,
}

impl Drain {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            requested: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// For those who must notice.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch {
            requested: self.requested.clone(),
            tasks: self.tasks.clone(),
        }
    }

    /// Asks everybody to end.
    pub fn request(&self) {
        self.requested.cancel();
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
        self.requested.cancelled().await;
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Spawns a task on the current runtime that the drain waits for. The only way to spawn.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }
}
