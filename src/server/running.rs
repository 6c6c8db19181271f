//! Reload and drain: what happens to a server that serves.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{NeedsRestart, Running};
use crate::admin::Phase;
use crate::config::Plan;
use crate::delivery::{Commons, Left, Rest, Ways};
use crate::secret::Secret;
use crate::telemetry::{EndEvent, Event};

/// How it ended.
#[derive(Debug)]
pub enum Drained {
    /// Everything acknowledged was delivered.
    Clean,
    /// These were acknowledged and are lost with the process; dead letters come last.
    Left(Vec<Left>),
}

impl Running {
    /// The plan in force.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    /// Puts a complete plan in force: routes and certificates at once, for the next webhook.
    ///
    /// # Errors
    /// A plan that changes what is bound or sized at start; nothing changes then.
    pub fn reload(&self, plan: Plan) -> Result<(), NeedsRestart> {
        let current = self.plan.load();
        let refuse = |setting| Err(NeedsRestart { setting });
        if plan.listener.addresses != current.listener.addresses {
            return refuse("`server.listen`");
        }
        if plan.listener.tls.is_some() != current.listener.tls.is_some() {
            return refuse("a change between TLS and plain HTTP (`server.tls`)");
        }
        if plan.listener.limits != current.listener.limits {
            return refuse("`server.limits`");
        }
        if plan.workers != current.workers {
            return refuse("`server.workers`");
        }
        if plan.admin.as_ref().map(|admin| admin.address)
            != current.admin.as_ref().map(|admin| admin.address)
        {
            return refuse("`admin.listen`");
        }
        if token(&plan) != token(&current) {
            return refuse("`admin.token`");
        }
        if !plan.storage.is_same(&current.storage) {
            return refuse("`spool`, `spill` or `key` of `[buffer]`");
        }
        drop(current);
        self.commons.buffer.resize(plan.buffer);
        self.certificates.store(plan.listener.tls.clone());
        // Before anything comes by the new plan, and before what was stranded by the old one.
        let ways = Ways::new(plan.contracts.keys().cloned(), plan.upstreams.clone());
        let ways = Arc::new(ways);
        for dispatch in &self.dispatches {
            dispatch.rebind(&ways);
        }
        self.routes.store(Arc::clone(&plan.routes));
        self.take_up_stranded(&plan);
        self.plan.store(Arc::new(plan));
        Ok(())
    }

    /// What the spool holds and the plan before had no place for may have one now.
    fn take_up_stranded(&self, plan: &Plan) {
        let mut stranded = self.stranded.rows();
        if stranded.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut *stranded);
        let mut taken = super::take_up(rows, plan, &self.commons);
        *stranded = std::mem::take(&mut taken.stranded);
        if let Some(first) = self.dispatches.first() {
            first.take_up(taken);
        }
    }

    /// The orderly end: not ready any more; no new connections; the calls on the open ones are
    /// answered; what waits is attempted; what is left is named; the admin goes last.
    ///
    /// Takes the plan's grace at most. Dropping the future leaves the workers to the process's end.
    ///
    /// # Errors
    /// A worker that could not run.
    pub async fn drain(self) -> io::Result<Drained> {
        let started = Instant::now();
        let (grace, connections_max) = {
            let plan = self.plan.load();
            (plan.drain_grace, plan.listener.limits.connections_max)
        };
        self.readiness.enter(Phase::Draining);
        self.connections.request();
        self.commons.telemetry.emit(&Event::End(EndEvent::Draining {
            connections: connections_max.saturating_sub(self.permits.available_permits()),
            deliveries: self.commons.buffer.fill().0,
            grace,
        }));
        // A quarter is kept for what waits, however long the senders take.
        let _ = tokio::time::timeout(grace - grace / 4, self.connections.finished()).await;
        self.deliveries.request();
        // Whoever still waited for a retry gets a last attempt at once, and then an answer.
        let _ =
            tokio::time::timeout_at(started + grace - grace / 8, self.connections.finished()).await;
        let until = started + grace;
        self.flush_until.send_replace(Some(until));
        let mut rest = Rest::default();
        for worker in self.workers {
            let joined = tokio::task::spawn_blocking(move || worker.join()).await;
            match joined {
                Ok(Ok(of_worker)) => {
                    let of_worker = of_worker?;
                    rest.left.extend(of_worker.left);
                    rest.kept += of_worker.kept;
                }
                // A worker that panicked has told so through the panic hook; its share is unknown.
                Ok(Err(_)) | Err(_) => return Err(io::Error::other("a worker panicked")),
            }
        }
        let Commons { keeping, dead, .. } = self.commons.clone();
        // Blocking, and nobody else is left on this runtime but operators.
        let closed = tokio::task::spawn_blocking(move || {
            if let Some(spool) = keeping.spool() {
                dead.spill(spool);
                spool.close();
            }
        });
        let _ = closed.await;
        let letters = name_lost_letters(&self.commons);
        let took = started.elapsed();
        let mut left = rest.left;
        self.commons.telemetry.emit(&Event::End(EndEvent::Drained {
            left: left.len(),
            letters: letters.len(),
            kept: rest.kept,
            took,
        }));
        left.extend(letters);
        self.admin.request();
        // Whoever scrapes at this moment gets an answer; nobody waits longer for a page.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.admin.finished()).await;
        Ok(if left.is_empty() {
            Drained::Clean
        } else {
            Drained::Left(left)
        })
    }
}

/// The dead letters that no spool has: the last word about each of them.
fn name_lost_letters(commons: &Commons) -> Vec<Left> {
    let letters = commons.dead.unkept();
    for letter in &letters {
        commons.telemetry.emit(&Event::End(EndEvent::LetterLost {
            id: letter.id,
            route: &letter.route,
            upstream: &letter.upstream,
        }));
    }
    letters
}

/// The admin's token, to be compared by those who run the process.
fn token(plan: &Plan) -> Option<&[u8]> {
    plan.admin.as_ref()?.token.as_deref().map(Secret::expose)
}
