//! One life of a process, from its start to its drain or its crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::super::super::dispatch::Dispatch;
use super::super::super::{
    Ack, Acknowledgement, Bounds, BreakerSettings, BreakerState, Buffer, Commons, Contract,
    DeadLetters, Duplicates, Filter, Keeping, Left, Policy, Rate, Restraint, Schedule, Signers,
    Upstream, UpstreamSettings,
};
use super::super::{settings, upstream, webhook};
use super::world::World;
use crate::drain::Drain;
use crate::telemetry::Telemetry;
use crate::webhook::{Dedupe, Overlay, Webhook};

/// Small, so that it is full now and then.
pub(super) const BOUNDS: Bounds = Bounds {
    bytes: 2 << 20,
    deliveries: 600,
};
pub(super) const WORKERS: usize = 2;
const KEYS: u64 = 7;

/// What a life came to.
#[derive(Debug, Default)]
pub(super) struct Summary {
    lives: u32,
    crashes: u32,
    pub(super) webhooks: u32,
    pub(super) acknowledged: u32,
    attempts: u32,
    repeats: u32,
    withdrawn: u32,
    full: u32,
    dead: u32,
    replayed: u32,
    openings: u32,
    /// Named at the end: by a drain, and by a crash (what only a spool would save).
    left: u32,
    in_memory: u32,
    pub(super) log: u64,
}

impl Summary {
    pub(super) fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.webhooks += other.webhooks;
        self.acknowledged += other.acknowledged;
        self.attempts += other.attempts;
        self.repeats += other.repeats;
        self.withdrawn += other.withdrawn;
        self.full += other.full;
        self.dead += other.dead;
        self.replayed += other.replayed;
        self.openings += other.openings;
        self.left += other.left;
        self.in_memory += other.in_memory;
        self.log ^= other.log.rotate_left(self.lives % 64);
    }

    /// What must have happened at least once.
    pub(super) fn counted(&self) -> [(&'static str, u32); 8] {
        [
            ("crashes", self.crashes),
            ("repeats", self.repeats),
            ("withdrawn", self.withdrawn),
            ("full", self.full),
            ("dead letters", self.dead),
            ("replayed", self.replayed),
            ("breakers opened", self.openings),
            ("in memory at a crash", self.in_memory),
        ]
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} webhooks in {} lives ({} crashes): {} acknowledged, 0 lost; {} attempts, {} of them repeats \
             of what was perhaps taken; {} withdrawn, {} refused by a full buffer, {} dead letters, {} \
             replayed, {} openings of breakers; held at the end of a drain {}, at a crash {}; log {:016x}",
            self.webhooks,
            self.lives,
            self.crashes,
            self.acknowledged,
            self.attempts,
            self.repeats,
            self.withdrawn,
            self.full,
            self.dead,
            self.replayed,
            self.openings,
            self.left,
            self.in_memory,
            self.log,
        )
    }
}

/// A process with its surroundings.
pub(super) struct Life {
    seed: u64,
}

/// A route, and what its senders are like.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) contract: Arc<Contract>,
    is_keyed: bool,
    /// Its senders try again, with the same dedupe key.
    repeats: bool,
}

pub(super) struct Process {
    pub(super) world: World,
    pub(super) drain: Drain,
    buffer: Buffer,
    dead: Arc<DeadLetters>,
    pub(super) desks: Vec<Dispatch<World>>,
    pub(super) upstreams: Vec<Arc<Upstream>>,
    pub(super) ways: Vec<Way>,
    pub(super) telemetry: Telemetry,
    /// Which way each webhook went.
    sent: BTreeMap<u64, usize>,
}

impl Life {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(super) fn live(&self, webhooks: u32) -> Summary {
        fastrand::seed(self.seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut process = Process::start(self.seed);
            process.live(webhooks).await
        })
    }
}

impl Process {
    fn start(seed: u64) -> Self {
        let buffer = Buffer::new(BOUNDS);
        let world = World::new(seed, buffer.clone(), BOUNDS);
        Self::over(world, buffer, Keeping::Memory)
    }

    /// In a world that is there already.
    pub(super) fn over(world: World, buffer: Buffer, keeping: Keeping) -> Self {
        let drain = Drain::new();
        let (dead, duplicates) = (Arc::new(DeadLetters::new()), Arc::new(Duplicates::new()));
        let telemetry = Telemetry::new();
        let commons = Commons {
            buffer: buffer.clone(),
            dead: Arc::clone(&dead),
            duplicates,
            telemetry: telemetry.clone(),
            keeping,
        };
        let desks = (0..WORKERS)
            .map(|index| Dispatch::over(world.clone(), index, commons.clone(), drain.watch()));
        let desks = desks.collect();
        let upstreams: Vec<_> = [
            ("a", 3, None),
            ("b", 20, None),
            ("c", 8, Some(100)),
            ("d", 5, None),
        ]
        .into_iter()
        .map(|(name, concurrency, rate)| {
            let upstream = restrained(name, concurrency, rate);
            world.add_upstream(upstream.name(), concurrency, rate.map(|rate| rate as usize));
            upstream
        })
        .collect();
        let mut process = Self {
            world,
            drain,
            buffer,
            dead,
            desks,
            upstreams,
            ways: Vec::new(),
            telemetry,
            sent: BTreeMap::new(),
        };
        process.ways = vec![
            process.way("waits", Ack::Upstream, &[0]),
            process.way("buffers", Ack::Buffered, &[1]),
            process.way("early", Ack::Early, &[2]),
            process.way("fans-out", Ack::Buffered, &[0, 1]),
            Way {
                is_keyed: true,
                ..process.way("in-order", Ack::Early, &[3])
            },
            Way {
                repeats: true,
                ..process.way("repeats", Ack::Upstream, &[1])
            },
        ];
        process
    }

    fn way(&self, name: &str, ack: Ack, upstreams: &[usize]) -> Way {
        let upstreams = upstreams
            .iter()
            .map(|&index| Arc::clone(&self.upstreams[index]));
        let contract = Contract {
            ack,
            deadline: Duration::from_secs(2),
            policy: Policy {
                schedule: Schedule::Exponential {
                    base: Duration::from_millis(100),
                    cap: Duration::from_secs(4),
                },
                attempts_max: NonZeroU32::new(8).unwrap(),
                horizon: Duration::from_secs(60),
                ..Policy::default()
            },
            upstreams: upstreams.collect(),
            share: self.buffer.share(BOUNDS),
            meters: self.telemetry.route(name),
            signers: Signers::new(),
        };
        Way {
            contract: Arc::new(contract),
            is_keyed: false,
            repeats: false,
        }
    }

    async fn live(&mut self, webhooks: u32) -> Summary {
        let (crashes, last) = {
            let dice = &mut self.world.facts().dice;
            (dice.u8(..3) == 0, dice.u32(webhooks / 2..webhooks))
        };
        let mut senders = JoinSet::new();
        let mut openings = 0;
        let mut was_open = false;
        let mut replayed = 0;
        for number in 0..webhooks {
            let (gap, which, patience) = {
                let dice = &mut self.world.facts().dice;
                let gap = Duration::from_micros(dice.u64(..6_000));
                (gap, dice.usize(..self.ways.len()), dice.u8(..20) == 0)
            };
            let way = self.ways[which].clone();
            let desk = self.desks[number as usize % WORKERS].clone();
            let world = self.world.clone();
            self.sent.insert(u64::from(number), which);
            senders.spawn(send(world, desk, way, u64::from(number), patience));
            tokio::time::sleep(gap).await;
            let is_open = self
                .upstreams
                .iter()
                .any(|upstream| upstream.health().breaker != BreakerState::Closed);
            openings += u32::from(is_open && !was_open);
            was_open = is_open;
            if number % 1_000 == 999 {
                let done = self.dead.replay(&Filter::default(), |letter| {
                    let ways = self.ways.iter();
                    let mut contracts = ways.map(|way| &way.contract);
                    let route = contracts.find(|contract| contract.meters.name == letter.route);
                    let upstreams = route.unwrap().upstreams.iter();
                    let mut upstreams = upstreams.filter(|to| *to.name() == letter.upstream);
                    Ok((
                        Arc::clone(route.unwrap()),
                        Arc::clone(upstreams.next().unwrap()),
                    ))
                });
                replayed += u32::try_from(done.replayed).unwrap();
            }
            if crashes && number == last {
                break;
            }
        }
        let left = self.end(crashes, &mut senders).await;
        self.check(crashes, &left);
        let count = u32::try_from(left.len()).unwrap();
        let facts = self.world.facts();
        Summary {
            lives: 1,
            crashes: crashes.into(),
            webhooks: u32::try_from(self.sent.len()).unwrap(),
            acknowledged: u32::try_from(facts.acknowledged.len()).unwrap(),
            attempts: facts.attempts,
            repeats: facts.repeats,
            withdrawn: facts.withdrawn,
            full: facts.full,
            dead: u32::try_from(self.dead.len()).unwrap(),
            replayed,
            openings,
            left: if crashes { 0 } else { count },
            in_memory: if crashes { count } else { 0 },
            log: facts.digest(),
        }
    }

    /// The names of what is held in the end.
    async fn end(&self, crashes: bool, senders: &mut JoinSet<()>) -> Vec<Left> {
        let grace = if crashes {
            Duration::ZERO
        } else {
            self.drain.request();
            while let Some(ended) = senders.join_next().await {
                ended.unwrap();
            }
            Duration::from_secs(30)
        };
        let mut left = Vec::new();
        for desk in &self.desks {
            left.extend(desk.flush(grace).await.left);
        }
        left
    }

    fn check(&self, crashes: bool, left: &[Left]) {
        let facts = self.world.facts();
        let seed = facts.seed;
        let mut accounted: BTreeSet<(u64, Arc<str>)> = left
            .iter()
            .map(|left| (facts.numbers[&left.id], Arc::clone(&left.upstream)))
            .collect();
        for letter in self.dead.list(&Filter::default()) {
            let number = facts.numbers[&letter.id];
            assert_eq!(letter.webhook().unwrap().body, body(number));
            accounted.insert((number, letter.upstream));
        }
        for &number in &facts.acknowledged {
            let way = &self.ways[self.sent[&number]];
            for upstream in &way.contract.upstreams {
                let key = (number, Arc::clone(upstream.name()));
                let is_settled = facts.is_settled(number, upstream.name());
                assert!(
                    is_settled || (way.contract.ack != Ack::Upstream && accounted.contains(&key)),
                    "seed {seed}: {number} was acknowledged, and is lost to {}",
                    upstream.name()
                );
            }
        }
        if !crashes {
            assert_eq!(self.buffer.fill(), (0, 0), "seed {seed}");
            for upstream in &self.upstreams {
                assert_eq!(upstream.health().in_flight, 0, "seed {seed}");
            }
        }
    }
}

fn restrained(name: &str, concurrency: u32, rate: Option<u32>) -> Arc<Upstream> {
    upstream(UpstreamSettings {
        timeout: Duration::from_secs(3),
        restraint: Restraint {
            concurrency: NonZeroU32::new(concurrency).unwrap(),
            rate: rate.map(|rate| Rate {
                attempts: NonZeroU32::new(rate).unwrap(),
                period: Duration::from_secs(1),
            }),
            breaker: BreakerSettings {
                failures: NonZeroU32::new(5).unwrap(),
                open: Duration::from_secs(1),
                probes: NonZeroU32::new(2).unwrap(),
            },
        },
        ..settings(name, "http", 1)
    })
}

fn body(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes())
}

/// A sender with one webhook: it waits, or hangs up, or tries again.
pub(super) async fn send(
    world: World,
    desk: Dispatch<World>,
    way: Way,
    number: u64,
    hangs_up: bool,
) {
    let tries = if way.repeats { 4 } else { 1 };
    for _ in 0..tries {
        let call = Webhook {
            body: body(number),
            ..Arc::into_inner(webhook()).unwrap()
        };
        let overlay = Overlay {
            ordering_key: way.is_keyed.then(|| (number % KEYS).to_string().into()),
            dedupe: way.repeats.then(|| Dedupe {
                key: number.to_string().into(),
                ttl: Duration::from_secs(3600),
            }),
            ..Overlay::default()
        };
        let patience = {
            let mut facts = world.facts();
            facts.numbers.insert(call.id, number);
            Duration::from_millis(facts.dice.u64(1..200))
        };
        let carry = desk.take_over(Arc::new(call), vec![overlay], None, &way.contract);
        let told = if hangs_up {
            tokio::time::timeout(patience, carry).await.ok()
        } else {
            Some(carry.await)
        };
        world.told(number, told.as_ref());
        match told {
            Some(
                Acknowledgement::Full { retry_after }
                | Acknowledgement::Unavailable { retry_after, .. },
            ) => tokio::time::sleep(retry_after.min(Duration::from_secs(5))).await,
            _ => return,
        }
    }
}
