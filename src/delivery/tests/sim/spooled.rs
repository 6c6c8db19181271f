//! One life after another, with nothing in common but the disk: the power goes, and what was not flushed
//! is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::super::super::record::Record;
use super::super::super::{Ack, Buffer, Contract, Duplicates, Keeping, Plans, TakenUp, Upstream};
use super::life::{BOUNDS, Process, WORKERS, send};
use super::world::World;
use crate::spool::Spool;
use crate::spool::tests::Simulated;
use crate::webhook::Arrival;

const SAGAS: u64 = 6;
const LIVES: u64 = 5;
const WEBHOOKS_PER_LIFE: u64 = 400;

impl Plans for Process {
    fn contract(&self, route: &str) -> Option<&Arc<Contract>> {
        let contracts = self.ways.iter().map(|way| &way.contract);
        contracts
            .into_iter()
            .find(|contract| &*contract.meters.name == route)
    }

    fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams
            .iter()
            .find(|upstream| &**upstream.name() == name)
    }
}

/// Some lives of one gate.
struct Saga {
    world: World,
    disk: Simulated,
    dice: fastrand::Rng,
    /// To whom each webhook must go, and whether its sender keeps what is not delivered.
    sent: BTreeMap<u64, (Vec<Arc<str>>, Ack)>,
    found: usize,
}

impl Saga {
    fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed, Buffer::new(BOUNDS), BOUNDS),
            disk: Simulated::default(),
            dice: fastrand::Rng::with_seed(seed),
            sent: BTreeMap::new(),
            found: 0,
        }
    }

    async fn live(&mut self, is_last: bool) {
        let buffer = Buffer::new(BOUNDS);
        self.world.begin_again(buffer.clone());
        let (spool, found) = Spool::inline(&self.disk);
        let keeping = Keeping::Spool(spool.clone());
        let process = Process::over(self.world.clone(), buffer, keeping);
        self.found += found.rows.len();
        let (duplicates, now) = (Duplicates::new(), Arrival::now());
        let telemetry = &process.telemetry;
        let taken = TakenUp::sort(found.rows, &spool, &process, &duplicates, telemetry, now);
        assert!(taken.stranded.is_empty());
        for (desk, part) in process.desks.iter().zip(taken.split(WORKERS)) {
            desk.take_up(part);
        }
        let mut senders = JoinSet::new();
        for _ in 0..WEBHOOKS_PER_LIFE {
            let number = self.sent.len() as u64;
            let (gap, which, patience) = {
                let dice = &mut self.world.facts().dice;
                let gap = Duration::from_micros(dice.u64(..6_000));
                (gap, dice.usize(..process.ways.len()), dice.u8(..20) == 0)
            };
            let way = process.ways[which].clone();
            let names = way.contract.upstreams.iter();
            let names = names.map(|upstream| Arc::clone(upstream.name())).collect();
            self.sent.insert(number, (names, way.contract.ack));
            let desk = process.desks[which % WORKERS].clone();
            senders.spawn(send(self.world.clone(), desk, way, number, patience));
            tokio::time::sleep(gap).await;
        }
        if is_last {
            process.drain.request();
            while let Some(ended) = senders.join_next().await {
                ended.unwrap();
            }
            for desk in &process.desks {
                let rest = desk.flush(Duration::from_secs(30)).await;
                assert_eq!(rest.left, []);
            }
            spool.close();
        }
        // Before anything ends in order.
        self.disk = self.disk.cut(&mut self.dice);
    }

    /// Every delivery that was acknowledged is settled, or on the disk.
    fn check(&self, seed: u64) {
        let (_, found) = Spool::inline(&self.disk);
        let facts = self.world.facts();
        let on_disk: BTreeSet<(u64, Arc<str>)> = found
            .rows
            .iter()
            .map(|row| {
                let (record, packed) = Record::read(&row.row, row.state.as_deref()).unwrap();
                (facts.numbers[&packed.id().unwrap()], record.state.upstream)
            })
            .collect();
        for number in &facts.acknowledged {
            let (upstreams, ack) = &self.sent[number];
            for upstream in upstreams {
                let is_kept = on_disk.contains(&(*number, Arc::clone(upstream)));
                assert!(
                    facts.is_settled(*number, upstream) || (is_kept && *ack != Ack::Upstream),
                    "seed {seed}: {number} was acknowledged, and is lost to {upstream}"
                );
            }
        }
    }
}

#[test]
fn with_a_spool_no_power_cut_loses_what_was_acknowledged() {
    let (mut found, mut acknowledged) = (0, 0);
    for seed in 1..=SAGAS {
        let mut saga = Saga::new(seed);
        for life in 1..=LIVES {
            fastrand::seed(seed * LIVES + life);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(saga.live(life == LIVES));
            // Whatever was under way ends with its clock.
            drop(runtime);
            saga.check(seed);
        }
        found += saga.found;
        acknowledged += saga.world.facts().acknowledged.len();
    }
    // A simulation in which nothing happens proves nothing.
    assert!(
        found > 200 && acknowledged > 5_000,
        "{found} {acknowledged}"
    );
}
