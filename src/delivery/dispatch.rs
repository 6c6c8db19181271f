//! Takes accepted webhooks over and answers what their senders may be told.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::background::{Left, Worker};
use super::duplicates::{Reservation, Seen};
use super::flush::Rest;
use super::hand::{Carried, Hand};
use super::held::{Found, Held, Wanted};
use super::keep::Keeping;
use super::order::Place;
use super::outcome;
use super::recent::End;
use super::road::{Road, Sockets};
use super::stored::History;
use super::take_up::TakenUp;
use super::ways::Ways;
use super::{
    Ack, Acknowledgement, Answer, Buffer, Cause, Contract, DeadLetters, Delivery, Duplicates,
    Origin, Promise, Upstream, Wait, overlay_weight,
};
use crate::drain::Watch;
use crate::plugin::{Accepted, Writes};
use crate::spool::Unkept;
use crate::telemetry::Telemetry;
use crate::webhook::{Overlay, Webhook, WebhookId};

/// A full buffer needs an upstream to come back, which takes seconds, not milliseconds.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(5);
/// By then the next process listens, or a balancer has noticed that this one does not.
pub(super) const DRAINING_RETRY_AFTER: Duration = Duration::from_secs(5);
/// An operator makes room, or a disk is changed: that takes minutes, and some senders come back sooner.
pub(super) const UNKEPT: Acknowledgement = Acknowledgement::Unkept {
    retry_after: Duration::from_secs(30),
};
/// For what cannot be delivered as it stands, and for a repeat of what is being delivered.
const UNDECIDED_RETRY_AFTER: Duration = Duration::from_secs(5);

/// What the workers of a process have in common; cheap to clone.
#[derive(Clone, Debug)]
pub struct Commons {
    /// Accepted deliveries that wait, all routes together.
    pub buffer: Buffer,
    /// Deliveries that were given up.
    pub dead: Arc<DeadLetters>,
    /// Keys of accepted deliveries.
    pub duplicates: Arc<Duplicates>,
    /// Where events go.
    pub telemetry: Telemetry,
    /// Where what is held is.
    pub keeping: Keeping,
}

/// One worker's deliveries; cheap to clone.
#[derive(Clone, Debug)]
pub struct Dispatch<R = Sockets> {
    pub(super) worker: Arc<Worker<R>>,
}

/// What admitting came to: mostly one delivery.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the common one; a box would cost every webhook an allocation"
)]
enum Admitted {
    One(Delivery),
    Several(Vec<Delivery>),
}

/// Why nothing was admitted.
enum Refused {
    /// The sender may be told this.
    Told(Acknowledgement),
    /// A repeat of what is in flight; cancelled when that is decided.
    InFlight(CancellationToken),
}

/// A delivery that is still to be admitted.
struct Planned {
    overlay: Overlay,
    upstream: Arc<Upstream>,
    reservation: Option<Reservation>,
    place: Option<Place>,
}

impl Dispatch {
    /// For worker number `worker`, whose connections it uses.
    #[must_use]
    pub fn new(worker: usize, commons: Commons, watch: Watch) -> Self {
        Self::over(Sockets, worker, commons, watch)
    }
}

impl<R: Road> Dispatch<R> {
    /// The same over another road.
    #[must_use]
    pub fn over(road: R, worker: usize, commons: Commons, watch: Watch) -> Self {
        let worker = Worker::new(road, worker, commons, watch);
        Self {
            worker: Arc::new(worker),
        }
    }

    /// Takes up what an earlier process left; to be called on this worker's runtime before it serves,
    /// with nothing too. Later, what a reload has found a place for may be taken up from anywhere.
    pub fn take_up(&self, taken: TakenUp) {
        self.worker.take_up(taken);
    }

    /// What waits goes by these ways from now on, with the addresses, breakers and bounds of their upstreams;
    /// from anywhere. What they have no place for is held and not attempted.
    pub fn rebind(&self, ways: &Arc<Ways>) {
        self.worker.rebind(ways);
    }

    /// Delivers a webhook as its route's contract says; to be called on this worker's runtime.
    ///
    /// With [`Ack::Upstream`] a webhook for several upstreams is answered with the first one's answer
    /// when all have taken it, with the first final refusal if there is one, and as unavailable if any
    /// of them failed. With [`Ack::Buffered`] it is held as soon as one is held or has taken it.
    ///
    /// Dropping the future cancels nothing: see the room's section on cancel safety.
    pub async fn hand_over(&self, accepted: Accepted, contract: &Arc<Contract>) -> Acknowledgement {
        let (webhook, overlays, writes) = accepted.into_parts();
        self.take_over(webhook, overlays, writes, contract).await
    }

    /// Attempts everything that waits, due or not, and again by policy, until nothing is left or
    /// `grace` is over; then names what was acknowledged and is not delivered. With a spool, only what is
    /// under way is waited for: the rest is on disk.
    ///
    /// To be called on this worker's runtime once, after the end was asked for and the senders'
    /// connections have been served; dropping the future stops the attempts that have not begun.
    pub async fn flush(&self, grace: Duration) -> Rest {
        self.worker.flush(grace).await
    }

    /// The deliveries of a webhook that this worker holds, or held until not long ago.
    ///
    /// Looks at everything that waits, under the lock of the schedule: for an operator, not for a webhook.
    #[must_use]
    pub fn find(&self, id: WebhookId) -> Vec<Found> {
        self.worker.find(id, Instant::now())
    }

    /// A page of what these workers hold. Looks at everything that waits, too.
    #[must_use]
    pub fn held(workers: &[Self], wanted: &Wanted) -> Held {
        let now = Instant::now();
        let mut all = Held::default();
        for dispatch in workers {
            let held = dispatch.worker.held(wanted, now);
            all.found.extend(held.found);
            all.total += held.total;
            all.left += held.left;
        }
        wanted.cut(&mut all.found, |found| found.id);
        all
    }

    /// Deliveries that wait on this worker for their next attempt.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.worker.waiting()
    }

    pub(super) async fn take_over(
        &self,
        webhook: Arc<Webhook>,
        mut overlays: Vec<Overlay>,
        mut writes: Option<Writes>,
        contract: &Arc<Contract>,
    ) -> Acknowledgement {
        let worker = &self.worker;
        if contract.ack == Ack::Early && worker.watch.is_requested() {
            return Acknowledgement::Draining {
                retry_after: DRAINING_RETRY_AFTER,
            };
        }
        let admitted = loop {
            match self.admit(&webhook, &mut overlays, &mut writes, contract) {
                Ok(admitted) => break admitted,
                Err(Refused::Told(acknowledgement)) => return acknowledgement,
                Err(Refused::InFlight(flight)) => {
                    let deadline = webhook.arrival.instant + contract.deadline;
                    tokio::select! {
                        biased;
                        () = flight.cancelled() => {}
                        // It may still fail, so this is no duplicate; it may succeed, so this is not tried.
                        () = tokio::time::sleep_until(deadline) => return undecided(Cause::Busy),
                    }
                }
            }
        };
        match admitted {
            admitted if contract.ack == Ack::Early => {
                let held = worker.hold_all(admitted.into_iter(), Instant::now()).await;
                match held {
                    Ok(()) => Acknowledgement::Held,
                    Err(Unkept) => UNKEPT,
                }
            }
            Admitted::One(delivery) => match Hand::new(worker, delivery).carry().await {
                Carried::Delivered(answer) | Carried::Refused(answer, _) => {
                    Acknowledgement::Answered(answer)
                }
                Carried::Held => Acknowledgement::Held,
                Carried::Failed(refused) => refused,
            },
            Admitted::Several(deliveries) => self.carry_all(deliveries, contract.ack).await,
        }
    }

    /// All of them or none; with a dedupe key only what was not accepted before.
    fn admit(
        &self,
        webhook: &Arc<Webhook>,
        overlays: &mut Vec<Overlay>,
        writes: &mut Option<Writes>,
        contract: &Arc<Contract>,
    ) -> Result<Admitted, Refused> {
        const FULL: Refused = Refused::Told(Acknowledgement::Full {
            retry_after: FULL_RETRY_AFTER,
        });
        let delivery = |planned: Planned, writes, permit, origin| Delivery {
            webhook: Arc::clone(webhook),
            origin,
            overlay: planned.overlay,
            upstream: planned.upstream,
            contract: Arc::clone(contract),
            since: webhook.arrival.instant,
            attempts: 0,
            spent: 0,
            history: History::default(),
            wait: Wait::default(),
            promise: Promise::Open,
            is_sent: false,
            reservation: planned.reservation,
            writes,
            place: planned.place.map(Box::new),
            permit,
            entry: None,
        };
        if let (
            [upstream],
            [
                Overlay {
                    upstream: None,
                    dedupe: None,
                    ordering_key: None,
                    ..
                },
            ],
        ) = (contract.upstreams.as_slice(), overlays.as_slice())
            && let Some(overlay) = overlays.pop()
        {
            let weight = webhook.weight() + overlay_weight(&overlay);
            let permit = contract.share.admit_one(weight).ok_or(FULL)?;
            let planned = Planned {
                overlay,
                upstream: Arc::clone(upstream),
                reservation: None,
                place: None,
            };
            let one = delivery(planned, writes.take(), permit, Origin::Alone);
            return Ok(Admitted::One(one));
        }

        let mut planned = self.plan(webhook, overlays, contract)?;
        let own: Vec<usize> = planned
            .iter()
            .map(|planned| overlay_weight(&planned.overlay))
            .collect();
        let permits = contract.share.admit(webhook.weight(), &own).ok_or(FULL)?;
        for planned in &mut planned {
            // Not before it is admitted: nobody waits for what is refused.
            if let Some(key) = &planned.overlay.ordering_key {
                let line = contract.share.lines();
                planned.place = Some(line.join(planned.upstream.name(), key));
            }
        }
        let packed = Arc::default();
        let deliveries = planned
            .into_iter()
            .zip(permits)
            .map(|(planned, permit)| {
                let origin = Origin::Siblings(Arc::clone(&packed));
                delivery(planned, writes.clone(), permit, origin)
            })
            .collect();
        // From here on each delivery has its part in them.
        if let Some(writes) = writes.take() {
            writes.keep();
        }
        Ok(Admitted::Several(deliveries))
    }

    fn plan(
        &self,
        webhook: &Arc<Webhook>,
        overlays: &[Overlay],
        contract: &Contract,
    ) -> Result<Vec<Planned>, Refused> {
        let mut planned: Vec<Planned> = Vec::new();
        let mut duplicates = 0_usize;
        let mut heard = None;
        for overlay in overlays {
            let only = overlay.upstream.as_deref();
            let upstreams = contract
                .upstreams
                .iter()
                .filter(|upstream| only.is_none_or(|o| o == &**upstream.name()));
            for upstream in upstreams {
                // A sibling with the same key is its repeat.
                let sibling = overlay.dedupe.is_some()
                    && planned.iter().any(|other| {
                        other.overlay.dedupe.as_ref().map(|d| &d.key)
                            == overlay.dedupe.as_ref().map(|d| &d.key)
                            && other.upstream.name() == upstream.name()
                    });
                let seen = overlay.dedupe.as_ref().filter(|_| !sibling).map(|dedupe| {
                    self.worker.duplicates.reserve(
                        &webhook.route,
                        upstream.name(),
                        dedupe,
                        webhook.id,
                    )
                });
                let reservation = match seen {
                    None if sibling => continue,
                    None => None,
                    Some(Seen::Never(reservation)) => Some(reservation),
                    Some(Seen::Accepted { answer, by }) => {
                        duplicates += 1;
                        let name = Left {
                            id: webhook.id,
                            route: Arc::clone(&webhook.route),
                            upstream: Arc::clone(upstream.name()),
                            part: overlay.part,
                        };
                        let recent = &self.worker.recent;
                        recent.end(name, End::Duplicate { of: by }, 0, History::default());
                        heard = heard.or(answer);
                        continue;
                    }
                    // What was reserved so far is let go: who waits holds up nobody.
                    Some(Seen::InFlight(flight)) => return Err(Refused::InFlight(flight)),
                };
                let (overlay, upstream) = (overlay.clone(), Arc::clone(upstream));
                planned.push(Planned {
                    overlay,
                    upstream,
                    reservation,
                    place: None,
                });
            }
        }
        match (planned.is_empty(), duplicates, heard) {
            (false, ..) => Ok(planned),
            (true, 0, _) => Err(Refused::Told(undecided(Cause::Unreachable))),
            (true, _, Some(answer)) => Err(Refused::Told(Acknowledgement::Answered(
                Answer::clone(&answer),
            ))),
            (true, _, None) => Err(Refused::Told(Acknowledgement::Duplicate)),
        }
    }

    async fn carry_all(&self, deliveries: Vec<Delivery>, ack: Ack) -> Acknowledgement {
        let hands = deliveries.into_iter().map(|delivery| {
            let hand = Hand::new(&self.worker, delivery);
            Box::pin(hand.carry()) as Pin<Box<dyn Future<Output = Carried> + Send>>
        });
        let mut answer: Option<Answer> = None;
        let mut refused = Vec::new();
        let mut failed = None;
        let mut held = false;
        for carried in join(hands.collect()).await {
            match carried {
                Carried::Delivered(first) => answer = answer.or(Some(first)),
                Carried::Refused(answer, delivery) => refused.push((answer, delivery)),
                Carried::Held => held = true,
                Carried::Failed(refused) => failed = failed.or(Some(refused)),
            }
        }
        if ack == Ack::Buffered && (held || answer.is_some()) && failed.is_none() {
            // The sender is told that we have them all, so those refused for good are ours to keep.
            for (answer, delivery) in refused {
                let reason = outcome::answered_finally(answer.status);
                self.worker.bury(*delivery, &reason);
            }
            if let Some(spool) = self.worker.spool()
                && spool.synced().await == Err(Unkept)
            {
                return UNKEPT;
            }
            return match answer {
                Some(answer) if !held => Acknowledgement::Answered(answer),
                _ => Acknowledgement::Held,
            };
        }
        let refused = refused.into_iter().next().map(|(answer, _)| answer);
        match (
            refused.or(if failed.is_none() { answer } else { None }),
            failed,
        ) {
            (Some(answer), _) => Acknowledgement::Answered(answer),
            (None, Some(failed)) => failed,
            (None, None) => undecided(Cause::Unreachable),
        }
    }
}

impl Admitted {
    fn into_iter(self) -> impl Iterator<Item = Delivery> {
        let (one, several) = match self {
            Self::One(delivery) => (Some(delivery), Vec::new()),
            Self::Several(deliveries) => (None, deliveries),
        };
        one.into_iter().chain(several)
    }
}

fn undecided(cause: Cause) -> Acknowledgement {
    Acknowledgement::Unavailable {
        cause,
        retry_after: UNDECIDED_RETRY_AFTER,
    }
}

/// Polls all of a few futures until each has its output; outputs keep their order.
async fn join<T>(futures: Vec<Pin<Box<dyn Future<Output = T> + Send>>>) -> Vec<T> {
    let mut running: Vec<_> = futures
        .into_iter()
        .map(|future| (Some(future), None))
        .collect();
    poll_fn(|cx| {
        let mut all = Poll::Ready(());
        for (future, output) in &mut running {
            match future.as_mut().map(|future| future.as_mut().poll(cx)) {
                Some(Poll::Ready(ready)) => (*future, *output) = (None, Some(ready)),
                Some(Poll::Pending) => all = Poll::Pending,
                None => {}
            }
        }
        all
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}
