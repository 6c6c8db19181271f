//! What waits on one worker, by due time and by upstream: a data structure without a clock.
//!
//! Each upstream has a lane. What is due stands in its lane until one of the lane's places is free, so
//! an upstream that comes back meets a bounded number of attempts and not its whole backlog, and one
//! that stays away holds up nobody else. Lanes are served in turn.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use tokio::time::Instant;

/// Items of type `T` in the order in which they may go.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    timers: BTreeMap<(Instant, u64), (Arc<str>, T)>,
    lanes: BTreeMap<Arc<str>, Lane<T>>,
    /// The lane that was served last.
    last: Option<Arc<str>>,
    /// Makes keys unique and equals first in, first out.
    pushed: u64,
    places: usize,
}

#[derive(Debug)]
struct Lane<T> {
    ready: VecDeque<T>,
    taken: usize,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Take<T> {
    /// Now; whoever takes it must [`Schedule::settle`] the lane afterwards.
    Now(Arc<str>, T),
    /// Nothing before this moment, unless a place becomes free.
    At(Instant),
    /// Nothing until a place becomes free.
    WhenSettled,
    /// Nothing waits.
    Nothing,
}

impl<T> Schedule<T> {
    /// An empty one, with this many places in each lane.
    pub(super) fn new(places: usize) -> Self {
        Self {
            timers: BTreeMap::new(),
            lanes: BTreeMap::new(),
            last: None,
            pushed: 0,
            places,
        }
    }

    /// Lets `item` wait until `due`.
    pub(super) fn push(&mut self, lane: &Arc<str>, due: Instant, item: T) {
        self.pushed += 1;
        self.timers
            .insert((due, self.pushed), (Arc::clone(lane), item));
    }

    /// The next item that may go at `now`, or when to ask again.
    pub(super) fn take(&mut self, now: Instant) -> Take<T> {
        self.ripen(now);
        if let Some(name) = self.next_lane()
            && let Some(lane) = self.lanes.get_mut(&name)
            && let Some(item) = lane.ready.pop_front()
        {
            lane.taken += 1;
            self.last = Some(Arc::clone(&name));
            return Take::Now(name, item);
        }
        match self.timers.first_key_value() {
            Some(((due, _), _)) => Take::At(*due),
            None if self.is_empty() => Take::Nothing,
            None => Take::WhenSettled,
        }
    }

    /// One that was taken from `lane` is done with, whatever became of it.
    pub(super) fn settle(&mut self, lane: &Arc<str>) {
        if let Some(entry) = self.lanes.get_mut(lane) {
            entry.taken = entry.taken.saturating_sub(1);
            if entry.taken == 0 && entry.ready.is_empty() {
                self.lanes.remove(lane);
            }
        }
    }

    /// Makes everything due at `now`, in the order in which it would have been.
    pub(super) fn hurry(&mut self, now: Instant) {
        for (lane, item) in std::mem::take(&mut self.timers).into_values() {
            self.push(&lane, now, item);
        }
    }

    /// Takes out everything that waits.
    pub(super) fn clear(&mut self) -> Vec<T> {
        let lanes = self
            .lanes
            .values_mut()
            .flat_map(|lane| lane.ready.drain(..));
        let all = lanes.chain(
            std::mem::take(&mut self.timers)
                .into_values()
                .map(|(_, item)| item),
        );
        let all = all.collect();
        self.lanes.retain(|_, lane| lane.taken > 0);
        all
    }

    /// How many wait, those that were taken not included.
    pub(super) fn len(&self) -> usize {
        self.timers.len()
            + self
                .lanes
                .values()
                .map(|lane| lane.ready.len())
                .sum::<usize>()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ripen(&mut self, now: Instant) {
        while let Some(first) = self.timers.first_entry()
            && first.key().0 <= now
        {
            let (name, item) = first.remove();
            let lane = self.lanes.entry(name);
            lane.or_insert_with(|| Lane {
                ready: VecDeque::new(),
                taken: 0,
            })
            .ready
            .push_back(item);
        }
    }

    /// The first lane after the last one served, round the ring, that has an item and a place for it.
    fn next_lane(&self) -> Option<Arc<str>> {
        let after = match &self.last {
            Some(name) => (Bound::Excluded(Arc::clone(name)), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        self.lanes
            .range::<Arc<str>, _>(after)
            .chain(&self.lanes)
            .find(|(_, lane)| !lane.ready.is_empty() && lane.taken < self.places)
            .map(|(name, _)| Arc::clone(name))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lane(name: &str) -> Arc<str> {
        name.into()
    }

    fn taken<T>(schedule: &mut Schedule<T>, now: Instant) -> Vec<T> {
        std::iter::from_fn(|| match schedule.take(now) {
            Take::Now(_, item) => Some(item),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn nothing_goes_before_it_is_due_and_equals_go_in_order() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut schedule = Schedule::new(10);
        schedule.push(&lane("a"), later, "second");
        schedule.push(&lane("a"), later, "third");
        schedule.push(&lane("a"), start, "first");

        assert_eq!(taken(&mut schedule, start), ["first"]);
        assert_eq!(
            schedule.take(later - Duration::from_nanos(1)),
            Take::At(later)
        );
        assert_eq!(taken(&mut schedule, later), ["second", "third"]);
        assert_eq!(schedule.take(later), Take::Nothing);
    }

    #[test]
    fn a_lane_without_a_free_place_holds_back_its_own_and_nobody_else() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        for item in ["a1", "a2"] {
            schedule.push(&lane("a"), now, item);
        }
        schedule.push(&lane("b"), now, "b1");

        assert_eq!(taken(&mut schedule, now), ["a1", "b1"]);
        assert_eq!(schedule.take(now), Take::WhenSettled);

        schedule.settle(&lane("a"));
        assert_eq!(taken(&mut schedule, now), ["a2"]);
    }

    #[test]
    fn lanes_are_served_in_turn_however_long_one_is() {
        let now = Instant::now();
        let mut schedule = Schedule::new(10);
        for item in ["a1", "a2", "a3"] {
            schedule.push(&lane("a"), now, item);
        }
        for item in ["b1", "b2"] {
            schedule.push(&lane("b"), now, item);
        }

        assert_eq!(taken(&mut schedule, now), ["a1", "b1", "a2", "b2", "a3"]);
    }

    #[test]
    fn hurrying_makes_everything_due_and_keeps_the_order() {
        let now = Instant::now();
        let mut schedule = Schedule::new(10);
        schedule.push(&lane("a"), now + Duration::from_secs(60), "second");
        schedule.push(&lane("a"), now + Duration::from_secs(30), "first");

        assert!(matches!(schedule.take(now), Take::At(_)));
        schedule.hurry(now);

        assert_eq!(taken(&mut schedule, now), ["first", "second"]);
    }

    #[test]
    fn clearing_takes_what_waits_in_timers_and_in_lanes() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        schedule.push(&lane("a"), now, 1);
        schedule.push(&lane("a"), now, 2);
        schedule.push(&lane("a"), now + Duration::from_secs(9), 3);
        assert_eq!(taken(&mut schedule, now), [1]);
        assert_eq!(schedule.len(), 2);

        assert_eq!(schedule.clear(), [2, 3]);

        assert!(schedule.is_empty());
        assert_eq!(schedule.take(now), Take::Nothing);
    }
}
