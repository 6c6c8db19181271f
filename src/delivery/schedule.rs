//! What waits on one worker, by due time and by upstream: a data structure without a clock.
//!
//! Each upstream has a lane. What is due stands in its lane until it is let through, so an upstream
//! that comes back meets a bounded number of attempts and not its whole backlog, and one that stays
//! away holds up nobody else. Lanes are served in turn, and within a lane its routes are. What must
//! not go before something else has ended is parked until it is told.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use tokio::time::Instant;

/// What can wait in a schedule.
pub(super) trait Waits {
    /// Whose lane it is in.
    fn upstream(&self) -> &Arc<str>;
    /// With whom it takes turns in that lane.
    fn route(&self) -> &Arc<str>;
}

/// Items of type `T` in the order in which they may go.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    timers: BTreeMap<(Instant, u64), T>,
    lanes: BTreeMap<Arc<str>, Lane<T>>,
    /// By ticket.
    parked: BTreeMap<u64, T>,
    /// The lane that was served last.
    last: Option<Arc<str>>,
    /// Makes keys unique and equals first in, first out.
    pushed: u64,
    places: usize,
}

#[derive(Debug)]
struct Lane<T> {
    /// By route; none is empty.
    ready: BTreeMap<Arc<str>, VecDeque<T>>,
    /// The route that was served last.
    last: Option<Arc<str>>,
    taken: usize,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Take<T, P> {
    /// Now; whoever takes it must [`Schedule::settle`] its lane afterwards.
    Now(T, P),
    /// Nothing before this moment, unless a place becomes free.
    At(Instant),
    /// Nothing until a place becomes free.
    WhenSettled,
    /// Nothing waits.
    Nothing,
}

/// What becomes of an item that is due.
#[derive(Debug)]
pub(super) enum Admission<P> {
    /// It goes, with what it needs for that.
    Go(P),
    /// Nothing of this lane goes before this moment.
    At(Instant),
    /// Nothing of this lane goes before it is called.
    Called,
    /// It alone waits until its ticket is told; the lane goes on.
    Parked(u64),
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Until then it is not due.
    Until(Instant),
    /// Due, in its lane.
    Ready,
    /// Due, and not before its ticket is told.
    Parked,
}

impl<T: Waits> Schedule<T> {
    /// An empty one, with this many places in each lane.
    pub(super) fn new(places: usize) -> Self {
        Self {
            timers: BTreeMap::new(),
            lanes: BTreeMap::new(),
            parked: BTreeMap::new(),
            last: None,
            pushed: 0,
            places,
        }
    }

    /// Lets `item` wait until `due`.
    pub(super) fn push(&mut self, due: Instant, item: T) {
        self.pushed += 1;
        self.timers.insert((due, self.pushed), item);
    }

    /// The next item that `admit` lets go at `now`, or when to ask again.
    pub(super) fn take<P>(
        &mut self,
        now: Instant,
        mut admit: impl FnMut(&T) -> Admission<P>,
    ) -> Take<T, P> {
        self.ripen(now);
        let mut earliest = self.timers.first_key_value().map(|((due, _), _)| *due);
        let mut turn = self.last.clone();
        for _ in 0..self.lanes.len() {
            let Some(name) = next_in_turn(&self.lanes, turn.as_ref()) else {
                break;
            };
            let Some(lane) = self.lanes.get_mut(&name) else {
                break;
            };
            while lane.taken < self.places
                && let Some(route) = next_in_turn(&lane.ready, lane.last.as_ref())
                && let Some(head) = lane.ready.get(&route).and_then(VecDeque::front)
            {
                match admit(head) {
                    Admission::Go(with) => {
                        lane.taken += 1;
                        let Some(item) = lane.pop(route) else { break };
                        self.last = Some(name);
                        return Take::Now(item, with);
                    }
                    Admission::Parked(ticket) => {
                        let item = lane.pop(route);
                        self.parked.extend(item.map(|item| (ticket, item)));
                    }
                    Admission::At(at) => {
                        earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
                        break;
                    }
                    Admission::Called => break,
                }
            }
            turn = Some(name);
        }
        self.lanes
            .retain(|_, lane| lane.taken > 0 || !lane.ready.is_empty());
        match earliest {
            Some(at) => Take::At(at),
            None if self.is_empty() => Take::Nothing,
            None => Take::WhenSettled,
        }
    }

    /// One that was taken from the lane of `upstream` is done with, whatever became of it.
    pub(super) fn settle(&mut self, upstream: &Arc<str>) {
        if let Some(lane) = self.lanes.get_mut(upstream) {
            lane.taken = lane.taken.saturating_sub(1);
            self.forget_if_idle(upstream);
        }
    }

    /// The parked item with this ticket is due again.
    pub(super) fn unpark(&mut self, ticket: u64) {
        if let Some(item) = self.parked.remove(&ticket) {
            self.ready(item);
        }
    }

    /// Makes everything due at `now`, in the order in which it would have been.
    pub(super) fn hurry(&mut self, now: Instant) {
        for item in std::mem::take(&mut self.timers).into_values() {
            self.push(now, item);
        }
    }

    /// Takes out everything that waits.
    pub(super) fn clear(&mut self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.len());
        for lane in self.lanes.values_mut() {
            all.extend(std::mem::take(&mut lane.ready).into_values().flatten());
        }
        all.extend(std::mem::take(&mut self.parked).into_values());
        all.extend(std::mem::take(&mut self.timers).into_values());
        self.lanes.retain(|_, lane| lane.taken > 0);
        all
    }

    /// Takes out those that are meant, wherever they stand.
    pub(super) fn extract(&mut self, mut is_meant: impl FnMut(Standing, &T) -> bool) -> Vec<T> {
        let timers = self
            .timers
            .extract_if(.., |(due, _), item| is_meant(Standing::Until(*due), item));
        let mut all: Vec<T> = timers.map(|(_, item)| item).collect();
        for lane in self.lanes.values_mut() {
            for queue in lane.ready.values_mut() {
                let (meant, others) = std::mem::take(queue)
                    .into_iter()
                    .partition(|item| is_meant(Standing::Ready, item));
                *queue = others;
                all.extend::<VecDeque<T>>(meant);
            }
            lane.ready.retain(|_, queue| !queue.is_empty());
        }
        let parked = self
            .parked
            .extract_if(.., |_, item| is_meant(Standing::Parked, item));
        all.extend(parked.map(|(_, item)| item));
        self.lanes
            .retain(|_, lane| lane.taken > 0 || !lane.ready.is_empty());
        all
    }

    /// All that wait, and where.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Standing, &T)> {
        let timers = self
            .timers
            .iter()
            .map(|((due, _), item)| (Standing::Until(*due), item));
        let ready = self.lanes.values().flat_map(|lane| lane.ready.values());
        let ready = ready.flatten().map(|item| (Standing::Ready, item));
        let parked = self.parked.values().map(|item| (Standing::Parked, item));
        timers.chain(ready).chain(parked)
    }

    /// All that wait, to change what neither their lane nor their turn depends on.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let timers = self.timers.values_mut();
        let lanes = self.lanes.values_mut();
        let ready = lanes.flat_map(|lane| lane.ready.values_mut()).flatten();
        timers.chain(ready).chain(self.parked.values_mut())
    }

    /// How many wait, those that were taken not included.
    pub(super) fn len(&self) -> usize {
        let ready = self.lanes.values().flat_map(|lane| lane.ready.values());
        self.timers.len() + self.parked.len() + ready.map(VecDeque::len).sum::<usize>()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.timers.is_empty()
            && self.parked.is_empty()
            && self.lanes.values().all(|lane| lane.ready.is_empty())
    }

    fn ripen(&mut self, now: Instant) {
        while let Some(first) = self.timers.first_entry()
            && first.key().0 <= now
        {
            let item = first.remove();
            self.ready(item);
        }
    }

    fn ready(&mut self, item: T) {
        let lane = self.lanes.entry(Arc::clone(item.upstream()));
        let lane = lane.or_insert_with(|| Lane {
            ready: BTreeMap::new(),
            last: None,
            taken: 0,
        });
        let route = lane.ready.entry(Arc::clone(item.route()));
        route.or_default().push_back(item);
    }

    fn forget_if_idle(&mut self, upstream: &Arc<str>) {
        if let Some(lane) = self.lanes.get(upstream)
            && lane.taken == 0
            && lane.ready.is_empty()
        {
            self.lanes.remove(upstream);
        }
    }
}

impl<T> Lane<T> {
    fn pop(&mut self, route: Arc<str>) -> Option<T> {
        let queue = self.ready.get_mut(&route)?;
        let item = queue.pop_front();
        if queue.is_empty() {
            self.ready.remove(&route);
        }
        self.last = Some(route);
        item
    }
}

/// The name after the one that was served last, round the ring.
fn next_in_turn<V>(all: &BTreeMap<Arc<str>, V>, last: Option<&Arc<str>>) -> Option<Arc<str>> {
    let after = last.and_then(|last| {
        let after = (Bound::Excluded(&**last), Bound::Unbounded);
        all.range::<str, _>(after).next()
    });
    let next = after.or_else(|| all.first_key_value());
    next.map(|(name, _)| Arc::clone(name))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Upstream, route, and what it is.
    #[derive(Debug, PartialEq, Eq)]
    struct Item(Arc<str>, Arc<str>, &'static str);

    impl Waits for Item {
        fn upstream(&self) -> &Arc<str> {
            &self.0
        }

        fn route(&self) -> &Arc<str> {
            &self.1
        }
    }

    fn item(upstream: &str, what: &'static str) -> Item {
        Item(upstream.into(), "r".into(), what)
    }

    fn of_route(route: &str, what: &'static str) -> Item {
        Item("a".into(), route.into(), what)
    }

    fn take(schedule: &mut Schedule<Item>, now: Instant) -> Take<Item, ()> {
        schedule.take(now, |_| Admission::Go(()))
    }

    fn taken(schedule: &mut Schedule<Item>, now: Instant) -> Vec<&'static str> {
        std::iter::from_fn(|| match take(schedule, now) {
            Take::Now(item, ()) => Some(item.2),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn nothing_goes_before_it_is_due_and_equals_go_in_order() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut schedule = Schedule::new(10);
        schedule.push(later, item("a", "second"));
        schedule.push(later, item("a", "third"));
        schedule.push(start, item("a", "first"));

        assert_eq!(taken(&mut schedule, start), ["first"]);
        let almost = later - Duration::from_nanos(1);
        assert_eq!(take(&mut schedule, almost), Take::At(later));
        assert_eq!(taken(&mut schedule, later), ["second", "third"]);
        assert_eq!(take(&mut schedule, later), Take::Nothing);
    }

    #[test]
    fn a_lane_without_a_free_place_holds_back_its_own_and_nobody_else() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        for what in ["a1", "a2"] {
            schedule.push(now, item("a", what));
        }
        schedule.push(now, item("b", "b1"));

        assert_eq!(taken(&mut schedule, now), ["a1", "b1"]);
        assert_eq!(take(&mut schedule, now), Take::WhenSettled);

        schedule.settle(&"a".into());
        assert_eq!(taken(&mut schedule, now), ["a2"]);
    }

    #[test]
    fn lanes_are_served_in_turn_however_long_one_is() {
        let now = Instant::now();
        let mut schedule = Schedule::new(10);
        for what in ["a1", "a2", "a3"] {
            schedule.push(now, item("a", what));
        }
        for what in ["b1", "b2"] {
            schedule.push(now, item("b", what));
        }

        assert_eq!(taken(&mut schedule, now), ["a1", "b1", "a2", "b2", "a3"]);
    }

    #[test]
    fn routes_share_the_lane_of_their_upstream_in_turn() {
        let now = Instant::now();
        let mut schedule = Schedule::new(10);
        for what in ["r1", "r2", "r3"] {
            schedule.push(now, of_route("r", what));
        }
        schedule.push(now, of_route("s", "s1"));

        assert_eq!(taken(&mut schedule, now), ["r1", "s1", "r2", "r3"]);
    }

    #[test]
    fn a_lane_that_may_not_go_yet_says_when_and_keeps_its_order() {
        let now = Instant::now();
        let soon = now + Duration::from_secs(1);
        let mut schedule = Schedule::new(10);
        schedule.push(now, item("a", "a1"));
        schedule.push(now, item("a", "a2"));
        schedule.push(now + Duration::from_secs(9), item("b", "b1"));

        let told = schedule.take(now, |_| Admission::<()>::At(soon));
        assert_eq!(told, Take::At(soon));
        let later = now + Duration::from_secs(9);
        let told = schedule.take(later, |_| Admission::<()>::Called);
        assert_eq!(told, Take::WhenSettled);

        assert_eq!(taken(&mut schedule, later), ["a1", "b1", "a2"]);
    }

    #[test]
    fn what_is_parked_lets_others_pass_and_goes_when_it_is_told() {
        let now = Instant::now();
        let mut schedule = Schedule::new(10);
        for what in ["a1", "a2"] {
            schedule.push(now, item("a", what));
        }
        let parks = |item: &Item| match item.2 {
            "a1" => Admission::Parked(7),
            _ => Admission::Go(()),
        };

        assert!(matches!(schedule.take(now, parks), Take::Now(item, ()) if item.2 == "a2"));
        assert_eq!(schedule.take(now, parks), Take::WhenSettled);
        assert_eq!(schedule.len(), 1);
        schedule.unpark(8);
        assert_eq!(take(&mut schedule, now), Take::WhenSettled);
        schedule.unpark(7);

        assert_eq!(taken(&mut schedule, now), ["a1"]);
    }

    #[test]
    fn hurrying_makes_everything_due_and_keeps_the_order() {
        let now = Instant::now();
        let mut schedule = Schedule::new(10);
        schedule.push(now + Duration::from_secs(60), item("a", "second"));
        schedule.push(now + Duration::from_secs(30), item("a", "first"));

        assert!(matches!(take(&mut schedule, now), Take::At(_)));
        schedule.hurry(now);

        assert_eq!(taken(&mut schedule, now), ["first", "second"]);
    }

    #[test]
    fn extracting_takes_those_that_are_meant_wherever_they_stand_and_leaves_the_others_in_order() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        for what in ["parked", "taken", "ready", "1", "2"] {
            schedule.push(now, item("a", what));
        }
        schedule.push(now + Duration::from_secs(9), item("a", "timed"));
        schedule.push(now + Duration::from_secs(9), item("a", "3"));
        let parks = |item: &Item| match item.2 {
            "parked" => Admission::Parked(1),
            _ => Admission::Go(()),
        };
        assert!(matches!(schedule.take(now, parks), Take::Now(item, ()) if item.2 == "taken"));

        let meant = ["parked", "ready", "timed"];
        let extracted = schedule.extract(|_, item| meant.contains(&item.2));

        let mut extracted: Vec<_> = extracted.into_iter().map(|item| item.2).collect();
        extracted.sort_unstable();
        assert_eq!(extracted, meant);
        schedule.settle(&"a".into());
        assert_eq!(taken(&mut schedule, now), ["1"]);
        schedule.settle(&"a".into());
        assert_eq!(taken(&mut schedule, now), ["2"]);
        schedule.settle(&"a".into());
        assert_eq!(taken(&mut schedule, now + Duration::from_secs(9)), ["3"]);
    }

    #[test]
    fn clearing_takes_what_waits_in_timers_in_lanes_and_aside() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1);
        for what in ["parked", "taken", "ready"] {
            schedule.push(now, item("a", what));
        }
        schedule.push(now + Duration::from_secs(9), item("a", "timed"));
        let parks = |item: &Item| match item.2 {
            "parked" => Admission::Parked(1),
            _ => Admission::Go(()),
        };
        assert!(matches!(schedule.take(now, parks), Take::Now(item, ()) if item.2 == "taken"));
        assert_eq!(schedule.len(), 3);

        let cleared: Vec<_> = schedule.clear().into_iter().map(|item| item.2).collect();

        assert_eq!(cleared, ["ready", "parked", "timed"]);
        assert!(schedule.is_empty());
        assert_eq!(take(&mut schedule, now), Take::Nothing);
    }
}
