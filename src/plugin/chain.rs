//! What a route runs: all verify stages, then all filters, then all transforms, each in file order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::answer::Answer;
use super::engine::Pool;
use super::failure::Fault;
use super::host::Case;
use super::instance::Instance;
use super::loaded::Plugin;
use super::seat::Seat;
use super::shadow::{Before, Candidate, Jobs};
use super::{Accepted, Failure, FailureKind, Keyring, OnFailure, Stage, Verdict, Writes};
use crate::telemetry::{Event, PluginMeters, Telemetry};
use crate::webhook::{Overlay, Sign, Webhook};

/// The note that names the kind of webhook in logs and metrics.
const EVENT_NOTE: &str = "event";

/// One plugin of a route, with what the route gives it.
pub struct Step {
    /// What runs.
    pub plugin: Arc<Plugin>,
    /// JSON text for `config.get`; secrets are replaced by names of keys.
    pub config: Arc<str>,
    /// The keys that it may name.
    pub keys: Keyring,
    /// Names of the keys with which it may sign.
    pub signing: Vec<Box<str>>,
    /// For filter and transform; a verify stage always refuses.
    pub on_failure: OnFailure,
    /// Where its work is counted.
    pub meters: Arc<PluginMeters>,
}

/// The plugins of one route.
pub struct Chain {
    seats: Vec<Seat>,
    /// Every stage in the order of asking, with the index of its seat.
    order: Vec<Turn>,
    /// How many sandboxes of which pool one webhook needs; small ones first, so that two chains never
    /// wait for each other.
    needs: Vec<(Arc<Pool>, u32)>,
    transforms: bool,
}

#[derive(Clone, Copy)]
struct Turn {
    stage: Stage,
    seat: usize,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.seats.iter().map(|seat| &seat.meters.name);
        f.debug_list().entries(names).finish()
    }
}

impl Chain {
    /// In the order of the configuration.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        let mut order: Vec<Turn> = steps
            .iter()
            .enumerate()
            .flat_map(|(seat, step)| {
                step.plugin.stages().iter().map(move |stage| Turn {
                    stage: *stage,
                    seat,
                })
            })
            .collect();
        order.sort_by_key(|turn| (turn.stage, turn.seat));
        let seats = steps.into_iter().enumerate();
        let seats: Vec<Seat> = seats.map(|(place, step)| Seat::new(place, step)).collect();
        let transforms = order.iter().any(|turn| turn.stage == Stage::Transform);
        Self {
            needs: needs(&seats),
            seats,
            order,
            transforms,
        }
    }

    /// Puts a candidate beside the step at `place`: it is asked about the same webhooks, when they have
    /// been judged, and what it says is compared and goes nowhere.
    #[must_use]
    pub fn shadow(mut self, place: usize, candidate: Candidate) -> Self {
        if let Some(seat) = self.seats.get_mut(place) {
            seat.shadow(candidate);
        }
        self
    }

    /// Who may sign deliveries, by name: the seals of another process are made again with them.
    #[must_use]
    pub fn signers(&self) -> BTreeMap<Box<str>, Arc<dyn Sign>> {
        let signers = self.seats.iter().flat_map(Seat::signers);
        signers
            .map(|signer| (signer.name().into(), signer))
            .collect()
    }

    /// Whether nobody is asked anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Whether somebody is asked for authenticity.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.order
            .first()
            .is_some_and(|turn| turn.stage == Stage::Verify)
    }

    /// Asks every stage, until one decides otherwise than to go on. `upstreams` are the names that the
    /// route forwards to. Dropping the future drops the guests; nothing has happened then.
    ///
    /// # Errors
    /// When a plugin cannot do its work and its policy (always, for a verify stage) is to refuse.
    pub async fn judge(
        &self,
        webhook: &Arc<Webhook>,
        upstreams: &[Arc<str>],
        telemetry: &Telemetry,
    ) -> Result<Verdict, Failure> {
        let Some(first) = self.order.first() else {
            return Ok(Verdict::Accepted(accepted(
                webhook,
                vec![Overlay::default()],
                None,
                None,
            )));
        };
        // Boxed: what it needs is large and gone before the delivery begins. So all webhooks of a
        // thread, which mostly come through here without a wait, use the same warm memory one after
        // the other, and not each some of its connection's.
        Box::pin(self.judge_by(*first, webhook, upstreams, telemetry)).await
    }

    async fn judge_by(
        &self,
        first: Turn,
        webhook: &Arc<Webhook>,
        upstreams: &[Arc<str>],
        telemetry: &Telemetry,
    ) -> Result<Verdict, Failure> {
        let _permits = match self.permits().await {
            Ok(permits) => permits,
            Err(fault) => return Err(self.fail(first, fault, webhook, telemetry)),
        };
        let upstreams = if self.transforms {
            upstreams.into()
        } else {
            Box::default()
        };
        let case = Arc::new(Case::new(Arc::clone(webhook), upstreams, telemetry.clone()));
        let mut guests: Vec<Option<Instance>> = Vec::new();
        guests.resize_with(self.seats.len(), || None);
        let mut overlays = vec![Overlay::default()];
        let mut jobs = Jobs::default();
        for (position, turn) in self.order.iter().enumerate() {
            let (Some(seat), Some(guest)) = (self.seats.get(turn.seat), guests.get_mut(turn.seat))
            else {
                continue;
            };
            let before = seat.shadow.as_ref().map(|_| Before::new(&case, &overlays));
            let started = Instant::now();
            let answer = seat.ask(guest, turn.stage, &case, &overlays).await;
            if let (Some(shadow), Some(before)) = (&seat.shadow, before) {
                jobs.note(shadow, &case, turn.stage, before, &answer);
            }
            let memory = guest.as_ref().map_or(0, Instance::memory);
            let rest = self.order.get(position + 1..).unwrap_or_default();
            if answer.is_err() {
                // Whatever it has half done must not be seen, least of all by another webhook.
                *guest = None;
            } else if !rest.iter().any(|later| later.seat == turn.seat) {
                seat.dismiss(guest.take());
            }
            let answer = match answer {
                Ok(answer) => answer,
                Err(fault) => {
                    let failure = self.fail(*turn, fault, webhook, telemetry);
                    match seat.policy(turn.stage) {
                        OnFailure::Refuse => return Err(failure),
                        OnFailure::Skip => continue,
                    }
                }
            };
            telemetry.emit(&Event::Judged {
                plugin: &seat.meters,
                stage: turn.stage.as_str(),
                verdict: word(turn.stage, &answer),
                took: started.elapsed(),
                memory,
            });
            match settle(seat.plugin.name(), answer) {
                Settled::Verdict(verdict) => {
                    // The sender will hear 2xx and will not call again: this webhook was taken.
                    if let Verdict::Dropped { .. } = verdict
                        && let Some(writes) = case.writes()
                    {
                        writes.keep();
                    }
                    for (seat, guest) in self.seats.iter().zip(guests) {
                        seat.dismiss(guest);
                    }
                    return Ok(verdict);
                }
                Settled::Deliver(made) => overlays = told_apart(made, &overlays),
                Settled::Onward => {}
            }
        }
        let event = case.note(EVENT_NOTE).map(Arc::from);
        let writes = case.writes();
        Ok(Verdict::Accepted(accepted(
            webhook, overlays, event, writes,
        )))
    }

    async fn permits(&self) -> Result<[Option<SemaphorePermit<'_>>; 2], Fault> {
        let mut held = [None, None];
        for ((pool, count), slot) in self.needs.iter().zip(&mut held) {
            match pool.permits(*count).await {
                Some(permits) => *slot = Some(permits),
                None => return Err(Fault::new(FailureKind::Overload, pool.overload())),
            }
        }
        if let Some(seat) = self.seats.first() {
            seat.plugin.compiled().engine().guest_starts();
        }
        Ok(held)
    }

    /// Says what went wrong, to the log and to the caller.
    fn fail(&self, turn: Turn, fault: Fault, webhook: &Webhook, telemetry: &Telemetry) -> Failure {
        let Fault {
            kind,
            detail,
            words,
        } = fault;
        let plugin = match self.seats.get(turn.seat) {
            Some(seat) => {
                telemetry.emit(&Event::PluginFailed {
                    id: webhook.id,
                    plugin: &seat.meters,
                    stage: turn.stage.as_str(),
                    kind: kind.as_str(),
                    detail: &detail,
                    policy: match seat.policy(turn.stage) {
                        OnFailure::Refuse => "refuse",
                        OnFailure::Skip => "skip",
                    },
                });
                Arc::clone(seat.plugin.name())
            }
            None => "".into(),
        };
        Failure {
            plugin,
            stage: turn.stage,
            kind,
            detail,
            words,
        }
    }
}

/// At most one entry for each of an engine's two pools.
fn needs(seats: &[Seat]) -> Vec<(Arc<Pool>, u32)> {
    let Some(engine) = seats.first().map(|seat| seat.plugin.compiled().engine()) else {
        return Vec::new();
    };
    let count = |pool: &Arc<Pool>| {
        let uses = |seat: &&Seat| Arc::ptr_eq(seat.plugin.compiled().pool(), pool);
        u32::try_from(seats.iter().filter(uses).count()).unwrap_or(u32::MAX)
    };
    [engine.small(), engine.large()]
        .into_iter()
        .map(|pool| (Arc::clone(pool), count(pool)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// What an answer means for the chain.
enum Settled {
    Onward,
    Deliver(Vec<Overlay>),
    Verdict(Verdict),
}

fn settle(plugin: &Arc<str>, answer: Answer) -> Settled {
    let plugin = || Arc::clone(plugin);
    Settled::Verdict(match answer {
        Answer::Onward => return Settled::Onward,
        Answer::Deliver(made) if made.is_empty() => Verdict::Dropped {
            plugin: plugin(),
            reason: "it made no delivery".into(),
        },
        Answer::Deliver(made) => return Settled::Deliver(made),
        Answer::Drop(reason) => Verdict::Dropped {
            plugin: plugin(),
            reason,
        },
        Answer::Reject { status, reason } => Verdict::Rejected {
            plugin: plugin(),
            status,
            reason,
        },
        Answer::Respond(response) => Verdict::Responded {
            plugin: plugin(),
            response,
        },
    })
}

/// Several deliveries of one webhook get a number each. If they inherited one dedupe key they would be each
/// other's repeats, and one id of a seal would say so to a receiver: each gets its place appended, which is
/// the same when the sender sends the same again.
fn told_apart(mut made: Vec<Overlay>, before: &[Overlay]) -> Vec<Overlay> {
    let ([before], 2..) = (before, made.len()) else {
        return made;
    };
    for (place, overlay) in made.iter_mut().enumerate() {
        // There are at most a thousand.
        overlay.part = u16::try_from(place + 1).unwrap_or(u16::MAX);
        if let Some(dedupe) = &mut overlay.dedupe
            && Some(&*dedupe) == before.dedupe.as_ref()
        {
            dedupe.key = format!("{}.{place}", dedupe.key).into();
        }
        if let Some(seal) = &mut overlay.seal {
            seal.id = format!("{}-{place}", seal.id).into();
        }
    }
    made
}

fn accepted(
    webhook: &Arc<Webhook>,
    overlays: Vec<Overlay>,
    event: Option<Arc<str>>,
    writes: Option<Writes>,
) -> Accepted {
    Accepted {
        webhook: Arc::clone(webhook),
        overlays,
        event,
        writes,
    }
}

/// The word in logs and metrics.
fn word(stage: Stage, answer: &Answer) -> &'static str {
    match answer {
        Answer::Onward if stage == Stage::Verify => "accept",
        Answer::Onward => "forward",
        Answer::Drop(_) => "drop",
        Answer::Reject { .. } => "reject",
        Answer::Respond(_) => "respond",
        Answer::Deliver(_) => "deliveries",
    }
}
