//! The spool on disks that fail: power that goes in the middle of anything, flushes that fail, damage.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use super::entry::Entry;
use super::file::File;
use super::queue::{Memory, Op, Queue};
use super::writer::told;
use super::{Found, Inner, Row, Secret, Settings, Spool, Unkept};
use crate::telemetry::Telemetry;

/// A sector is written whole or not at all; nothing larger is.
const SECTOR: usize = 512;

/// A disk in memory that forgets what was not flushed when its power goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simulated(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What is there for good.
    flushed: Vec<u8>,
    /// What the system shows.
    shown: Vec<u8>,
    /// Sectors that differ, in the order in which they were written first.
    unflushed: BTreeSet<usize>,
    /// Writes that still succeed.
    writes_left: Option<usize>,
    fails_to_flush: bool,
    /// Says that it has flushed, and has not.
    lies: bool,
}

impl Simulated {
    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }

    /// The power goes: of what was not flushed, each sector is there or not.
    pub(crate) fn cut(&self, dice: &mut fastrand::Rng) -> Self {
        let platter = self.platter();
        let mut flushed = platter.flushed.clone();
        flushed.resize(platter.shown.len().max(flushed.len()), 0);
        for sector in &platter.unflushed {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(platter.shown.len());
            if dice.bool() && from < to {
                flushed[from..to].copy_from_slice(&platter.shown[from..to]);
            }
        }
        // The new length may be lost as well.
        if dice.bool() {
            flushed.truncate(platter.flushed.len().max(SECTOR * 8));
        }
        Self(Arc::new(Mutex::new(Platter {
            shown: flushed.clone(),
            flushed,
            ..Platter::default()
        })))
    }
}

impl StorageBackend for Simulated {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().shown.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter();
        let from = usize::try_from(offset).unwrap();
        let bytes = platter.shown.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.platter()
            .shown
            .resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter();
        if platter.fails_to_flush {
            return Err(io::Error::other("the disk is broken"));
        }
        if !platter.lies {
            platter.flushed = platter.shown.clone();
            platter.unflushed.clear();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.platter();
        if let Some(left) = &mut platter.writes_left {
            *left = left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        }
        let from = usize::try_from(offset).unwrap();
        platter.shown[from..from + data.len()].copy_from_slice(data);
        let sectors = from / SECTOR..(from + data.len()).div_ceil(SECTOR);
        platter.unflushed.extend(sectors);
        Ok(())
    }
}

impl Spool {
    /// Without a thread of its own: whoever waits for a row writes it.
    pub(crate) fn inline(disk: &Simulated) -> (Self, Found) {
        let (file, found) = File::simulated(disk.clone(), &settings(None)).unwrap();
        let spool = Self(Arc::new(Inner {
            queue: Arc::default(),
            next: AtomicU64::new(found.next_number()),
            writer: Mutex::new(None),
            inline: Mutex::new(Some(file)),
        }));
        (spool, found)
    }

    pub(super) fn write_inline(&self) {
        let mut inline = self.0.inline.lock().unwrap();
        let Some(file) = &mut *inline else { return };
        loop {
            let ops = self.0.queue.group();
            if ops.is_empty() {
                return;
            }
            file.commit(&ops).unwrap();
            told(ops);
        }
    }
}

fn settings(key: Option<u8>) -> Settings {
    Settings {
        directory: "simulated".into(),
        key: key.map(|byte| Arc::new(Secret::new(vec![byte; 32]))),
    }
}

fn row(number: u64, length: usize) -> Row {
    Row {
        head: number.to_le_bytes().to_vec(),
        body: vec![number.to_le_bytes()[0]; length].into(),
    }
}

fn read(found: &Found) -> BTreeMap<u64, (Vec<u8>, Option<Vec<u8>>)> {
    let rows = found.rows.iter();
    rows.map(|row| (row.number, (row.row.clone(), row.state.clone())))
        .collect()
}

fn stored(row: &Row) -> Vec<u8> {
    let length = u32::try_from(row.head.len()).unwrap().to_le_bytes();
    [&length, row.head.as_slice(), &row.body].concat()
}

/// What is held: rows with the states laid over them.
type Held = BTreeMap<u64, (Vec<u8>, Option<Vec<u8>>)>;

/// Some operations, and what is held when they are done.
fn group(dice: &mut fastrand::Rng, held: &Held, next: &mut u64) -> (Vec<Op>, Held) {
    let queue = Arc::new(Queue::default());
    let (mut after, mut ops) = (held.clone(), Vec::new());
    for _ in 0..dice.usize(1..20) {
        let numbers: Vec<u64> = after.keys().copied().collect();
        match (dice.u8(..4), dice.choice(&numbers)) {
            (0, Some(&number)) => {
                after.remove(&number);
                ops.push(Op::Remove(number));
            }
            (1, Some(&number)) => {
                let state = vec![dice.u8(..); dice.usize(..300)];
                after.get_mut(&number).unwrap().1 = Some(state.clone());
                ops.push(Op::State(number, state));
            }
            _ => {
                let most = if dice.bool() { 300 } else { 20_000 };
                let row = row(*next, dice.usize(..most));
                after.insert(*next, (stored(&row), None));
                ops.push(Op::Insert(Entry::new(*next, Arc::clone(&queue)), row));
                *next += 1;
            }
        }
    }
    (ops, after)
}

#[test]
fn whenever_the_power_goes_every_commit_that_returned_is_there_and_one_that_did_not_is_whole_or_absent()
 {
    for seed in 0..100 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let key = dice.bool().then_some(7);
        let mut disk = Simulated::default();
        let mut next = 0;
        let mut possible = vec![Held::new()];
        for life in 0..6 {
            let (mut file, found) = File::simulated(disk.clone(), &settings(key)).unwrap();
            let mut held = read(&found);
            assert!(possible.contains(&held), "seed {seed}, life {life}");
            possible = vec![held.clone()];
            for _ in 0..dice.usize(1..30) {
                let (ops, after) = group(&mut dice, &held, &mut next);
                // Now and then the power goes in the middle of a commit.
                let goes = dice.u8(..12) == 0;
                disk.platter().writes_left = goes.then(|| dice.usize(..12));
                match file.commit(&ops) {
                    Ok(()) => {
                        possible = vec![after.clone()];
                        held = after;
                    }
                    Err(_) => {
                        possible.push(after);
                        break;
                    }
                }
            }
            disk.platter().writes_left = Some(0);
            let cut = disk.cut(&mut dice);
            drop(file);
            disk = cut;
        }
    }
}

#[tokio::test]
async fn a_disk_that_has_room_again_is_used_again_and_one_that_cannot_flush_never() {
    let disk = Simulated::default();
    let (file, found) = File::simulated(disk.clone(), &settings(None)).unwrap();
    let spool = Spool::over(file, found.next_number(), Telemetry::new()).unwrap();
    let keep = |number| {
        let entry = spool.entry();
        let row = row(number, 100);
        async {
            spool
                .keep(vec![(Arc::clone(&entry), row)])
                .await
                .map(|()| entry)
        }
    };
    let first = keep(0).await.unwrap();

    disk.platter().writes_left = Some(0);
    assert_eq!(keep(1).await.unwrap_err(), Unkept);
    assert!(!spool.is_writable());
    first.settle();
    disk.platter().writes_left = None;
    while !spool.is_writable() {
        tokio::task::yield_now().await;
    }

    let third = keep(2).await.unwrap();
    assert!(third.is_kept() && !first.is_kept());
    disk.platter().fails_to_flush = true;
    assert_eq!(keep(3).await.unwrap_err(), Unkept);
    disk.platter().fails_to_flush = false;
    assert_eq!(keep(4).await.unwrap_err(), Unkept);
    spool.close();
    let (_, found) = File::simulated(disk, &settings(None)).unwrap();
    // The last one that failed may be there, as may be what was removed with it.
    assert!(found.rows.iter().any(|row| row.number == third.number()));
    assert!(found.rows.iter().all(|row| row.number != first.number()));
}

/// What this house is tested with must be able to tell: a disk that lies is found out.
#[test]
fn on_a_disk_that_only_says_that_it_flushes_a_power_cut_loses_rows() {
    let queue = Arc::new(Queue::default());
    let lost = (0..20).filter(|&seed| {
        let disk = Simulated::default();
        let (mut file, _) = File::simulated(disk.clone(), &settings(None)).unwrap();
        disk.platter().lies = true;
        for number in 0..20 {
            let insert = Op::Insert(Entry::new(number, Arc::clone(&queue)), row(number, 1_000));
            file.commit(&[insert]).unwrap();
        }
        let cut = disk.cut(&mut fastrand::Rng::with_seed(seed));
        match File::simulated(cut, &settings(None)) {
            Ok((_, found)) => found.rows.len() < 20,
            Err(_) => true,
        }
    });
    assert!(lost.count() > 10);
}

#[test]
fn keys_are_found_until_they_expire_and_never_add_up() {
    let disk = Simulated::default();
    let remember = |file: &mut File, now: u64, expires: u64| {
        let memory = Memory {
            number: now,
            key: now.to_le_bytes().to_vec(),
            now,
            expires,
        };
        file.commit(&[Op::Remember(memory)]).unwrap();
    };
    let (mut file, found) = File::simulated(disk.clone(), &settings(Some(1))).unwrap();
    assert_eq!(found.keys, []);
    for now in 0..100 {
        remember(&mut file, now, now + 10);
    }
    drop(file);

    let (_, found) = File::simulated(disk, &settings(Some(1))).unwrap();

    let kept = (90..100_u64).map(|now| (now + 10, now.to_le_bytes().to_vec()));
    assert_eq!(found.keys, kept.collect::<Vec<_>>());
    assert_eq!(found.next_number(), 100);
}
