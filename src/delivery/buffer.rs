//! How much may wait: one account of bytes and deliveries for the process, and a share of it for each route.
//!
//! Only the accounting lives here; what waits is in each worker's schedule. A place is taken before the
//! first attempt, so memory is bounded whether upstreams answer or not, and it is given back when the
//! [`Permit`] is dropped, so no path can forget it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::order::Lines;

/// Bits of an account's word that count bytes: a TiB, beside 16 million deliveries in the rest.
const BYTES_BITS: u32 = 40;
const BYTES_MASK: u64 = (1 << BYTES_BITS) - 1;
const DELIVERIES_MASK: u64 = u64::MAX >> BYTES_BITS;

/// What at most may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Allocated bytes, heads and bookkeeping included; at most 1 TiB counts.
    pub bytes: usize,
    /// Deliveries; at most 16,777,215 count.
    pub deliveries: usize,
}

impl Default for Bounds {
    /// 256 MiB and 100,000 deliveries.
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            deliveries: 100_000,
        }
    }
}

/// Deliveries and bytes in one word, so that admitting is one atomic exchange and never half done.
#[derive(Debug)]
struct Account {
    filled: AtomicU64,
    /// Packed like `filled`; a reload changes it.
    bounds: AtomicU64,
}

impl Account {
    fn new(bounds: Bounds) -> Self {
        Self {
            filled: AtomicU64::new(0),
            bounds: AtomicU64::new(Amount::at_most(bounds).pack()),
        }
    }

    fn take(&self, amount: Amount) -> bool {
        // Nothing is published through these counters, so no ordering is needed beyond their own.
        let bounds = self.bounds();
        self.filled
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let filled = Amount::unpack(word);
                let bytes = filled.bytes.checked_add(amount.bytes)?;
                let deliveries = filled.deliveries.checked_add(amount.deliveries)?;
                let fits = bytes <= bounds.bytes && deliveries <= bounds.deliveries;
                fits.then(|| Amount { bytes, deliveries }.pack())
            })
            .is_ok()
    }

    /// Whatever the bounds are.
    fn add(&self, amount: Amount) {
        self.filled.fetch_add(amount.pack(), Ordering::Relaxed);
    }

    fn give_back(&self, amount: Amount) {
        let before = self.filled.fetch_sub(amount.pack(), Ordering::Relaxed);
        debug_assert!(before >= amount.pack(), "more was given back than taken");
    }

    fn bounds(&self) -> Amount {
        Amount::unpack(self.bounds.load(Ordering::Relaxed))
    }

    fn fill(&self) -> Amount {
        Amount::unpack(self.filled.load(Ordering::Relaxed))
    }
}

#[derive(Clone, Copy, Debug)]
struct Amount {
    bytes: u64,
    deliveries: u64,
}

impl Amount {
    /// A delivery of these bytes.
    fn one(bytes: usize) -> Self {
        Self {
            bytes: bytes as u64,
            deliveries: 1,
        }
    }

    fn at_most(bounds: Bounds) -> Self {
        Self {
            bytes: (bounds.bytes as u64).min(BYTES_MASK),
            deliveries: (bounds.deliveries as u64).min(DELIVERIES_MASK),
        }
    }

    fn pack(self) -> u64 {
        self.deliveries << BYTES_BITS | self.bytes
    }

    fn unpack(word: u64) -> Self {
        Self {
            bytes: word & BYTES_MASK,
            deliveries: word >> BYTES_BITS,
        }
    }
}

/// How many times as much as is still free one of several shares may hold. The more of them are full,
/// the less each gets, and what is free never goes to zero: a route whose upstream is gone may fill
/// four fifths of the buffer, ten of them 98 in 100, and a route that is well still finds room.
/// (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998.)
const SHARE_OF_FREE: u64 = 4;

/// The account of the whole process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Whole>);

#[derive(Debug)]
struct Whole {
    account: Account,
    /// How many shares there are.
    shares: AtomicUsize,
    /// The lines of the routes, by name, as long as anybody stands in one.
    lines: Mutex<BTreeMap<Box<str>, Weak<Lines>>>,
}

impl Buffer {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Whole {
            account: Account::new(bounds),
            shares: AtomicUsize::new(0),
            lines: Mutex::default(),
        }))
    }

    /// A route's part: bounded by itself and by the whole. Parts may add up to more than the whole.
    #[must_use]
    pub fn share(&self, bounds: Bounds) -> Arc<Share> {
        self.share_with(bounds, Arc::default())
    }

    /// The part of the route of this name: whoever still stands in line there goes first, whatever has
    /// become of the route meanwhile.
    #[must_use]
    pub fn share_of(&self, route: &str, bounds: Bounds) -> Arc<Share> {
        let mut all = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lines| lines.strong_count() > 0);
        let lines = all.get(route).and_then(Weak::upgrade).unwrap_or_default();
        all.insert(route.into(), Arc::downgrade(&lines));
        drop(all);
        self.share_with(bounds, lines)
    }

    fn share_with(&self, bounds: Bounds, lines: Arc<Lines>) -> Arc<Share> {
        self.0.shares.fetch_add(1, Ordering::Relaxed);
        Arc::new(Share {
            account: Account::new(bounds),
            whole: Arc::clone(&self.0),
            lines,
        })
    }

    /// Other bounds from now on. What is held stays, even where it exceeds them.
    pub fn resize(&self, bounds: Bounds) {
        let bounds = Amount::at_most(bounds).pack();
        self.0.account.bounds.store(bounds, Ordering::Relaxed);
    }

    /// Deliveries and bytes held now, those in an attempt included.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        let amount = self.0.account.fill();
        (to_usize(amount.deliveries), to_usize(amount.bytes))
    }
}

/// One route's part of the buffer.
#[derive(Debug)]
pub struct Share {
    account: Account,
    whole: Arc<Whole>,
    /// Those of its deliveries that must go in order.
    lines: Arc<Lines>,
}

impl Share {
    /// Deliveries and bytes of this route held now.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        let amount = self.account.fill();
        (to_usize(amount.deliveries), to_usize(amount.bytes))
    }

    /// Where its deliveries stand in line.
    pub(super) fn lines(&self) -> &Arc<Lines> {
        &self.lines
    }

    /// Takes the places of all deliveries of one webhook, or none.
    ///
    /// `common` bytes are held until the last of them has gone, `own` bytes by each one alone. The
    /// permits come in the order of `own`.
    pub(super) fn admit(self: &Arc<Self>, common: usize, own: &[usize]) -> Option<Vec<Permit>> {
        let all = Amount {
            bytes: own
                .iter()
                .fold(common, |sum, bytes| sum.saturating_add(*bytes)) as u64,
            deliveries: own.len() as u64,
        };
        self.take(all).then(|| {
            let common = Amount {
                bytes: common as u64,
                deliveries: 0,
            };
            let common = Arc::new(self.permit(common, None));
            own.iter()
                .map(|bytes| self.permit(Amount::one(*bytes), Some(Arc::clone(&common))))
                .collect()
        })
    }

    /// A place for one delivery of `bytes`, if there is one: no allocation. Dropping it settles.
    pub fn admit_one(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let amount = Amount::one(bytes);
        self.take(amount).then(|| self.permit(amount, None))
    }

    /// The place of a delivery that has one already, from before this process: no bound can refuse it.
    pub(super) fn restore(self: &Arc<Self>, bytes: usize) -> Permit {
        let amount = Amount::one(bytes);
        self.account.add(amount);
        self.whole.account.add(amount);
        self.permit(amount, None)
    }

    /// For what has been taken.
    fn permit(self: &Arc<Self>, amount: Amount, common: Option<Arc<Permit>>) -> Permit {
        Permit {
            share: Arc::clone(self),
            amount: amount.pack(),
            _common: common,
        }
    }

    fn take(&self, amount: Amount) -> bool {
        if !self.is_fair(amount) || !self.account.take(amount) {
            return false;
        }
        let taken = self.whole.account.take(amount);
        if !taken {
            self.account.give_back(amount);
        }
        taken
    }

    /// Whether the other shares keep enough. Two workers may ask at once and both be told yes: it is a
    /// matter of fairness, and the bounds themselves are exact.
    fn is_fair(&self, amount: Amount) -> bool {
        if self.whole.shares.load(Ordering::Relaxed) < 2 {
            return true;
        }
        let own = self.account.fill();
        let (all, bounds) = (self.whole.account.fill(), self.whole.account.bounds());
        let fits = |own: u64, amount: u64, all: u64, bound: u64| {
            own.saturating_add(amount) <= bound.saturating_sub(all).saturating_mul(SHARE_OF_FREE)
        };
        fits(own.bytes, amount.bytes, all.bytes, bounds.bytes)
            && fits(
                own.deliveries,
                amount.deliveries,
                all.deliveries,
                bounds.deliveries,
            )
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.whole.shares.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A delivery's place in the buffer; dropping it gives the place back.
#[derive(Debug)]
pub struct Permit {
    share: Arc<Share>,
    /// As in an account's word.
    amount: u64,
    /// What the deliveries of one webhook hold together.
    _common: Option<Arc<Self>>,
}

impl Permit {
    /// Gives back what is held beyond `bytes`.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let held = Amount::unpack(self.amount).bytes;
        self.give_back(Amount {
            bytes: held.saturating_sub(bytes as u64),
            deliveries: 0,
        });
    }

    fn give_back(&mut self, amount: Amount) {
        self.amount -= amount.pack();
        self.share.account.give_back(amount);
        self.share.whole.account.give_back(amount);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back(Amount::unpack(self.amount));
    }
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Bounds = Bounds {
        bytes: 1000,
        deliveries: 10,
    };

    #[test]
    fn the_last_byte_fits_and_one_more_does_not() {
        let share = Buffer::new(ROOMY).share(ROOMY);

        let held = share.admit_one(999).unwrap();
        assert!(share.admit_one(2).is_none());
        let last = share.admit_one(1).unwrap();

        assert_eq!(share.fill(), (2, 1000));
        drop((held, last));
        assert_eq!(share.fill(), (0, 0));
    }

    #[test]
    fn the_last_place_is_taken_and_one_more_is_refused() {
        let buffer = Buffer::new(Bounds {
            deliveries: 2,
            ..ROOMY
        });
        let share = buffer.share(ROOMY);

        let held = [share.admit_one(1).unwrap(), share.admit_one(1).unwrap()];

        assert!(share.admit_one(1).is_none());
        drop(held);
        assert!(share.admit_one(1).is_some());
    }

    #[test]
    fn a_refusal_by_the_whole_leaves_no_trace_in_the_share() {
        let buffer = Buffer::new(Bounds {
            bytes: 100,
            deliveries: 10,
        });
        let (greedy, modest) = (buffer.share(ROOMY), buffer.share(ROOMY));
        let _held = greedy.admit_one(80).unwrap();

        assert!(modest.admit_one(30).is_none());

        assert_eq!(modest.fill(), (0, 0));
        assert!(modest.admit_one(20).is_some());
    }

    #[test]
    fn a_full_share_leaves_room_for_the_others() {
        let buffer = Buffer::new(ROOMY);
        let (small, other) = (
            buffer.share(Bounds {
                bytes: 10,
                deliveries: 1,
            }),
            buffer.share(ROOMY),
        );
        let _held = small.admit_one(10).unwrap();

        assert!(small.admit_one(0).is_none());
        assert!(other.admit_one(500).is_some());
    }

    #[test]
    fn one_of_several_shares_never_takes_it_all() {
        let bounds = Bounds {
            bytes: 100_000,
            deliveries: 1_000,
        };
        let buffer = Buffer::new(bounds);
        let fill = |share: &Arc<Share>| -> Vec<Permit> {
            std::iter::from_fn(|| share.admit_one(10)).collect()
        };
        let (greedy, modest) = (buffer.share(bounds), buffer.share(bounds));

        let first = fill(&greedy);
        assert_eq!(first.len(), 800);
        let second = fill(&modest);
        assert_eq!(second.len(), 160);
        assert!(buffer.share(bounds).admit_one(10).is_some());

        // The other one has gone with its route: nobody is kept waiting for it.
        drop((second, modest));
        assert_eq!(fill(&greedy).len(), 200);
    }

    #[test]
    fn a_fan_out_is_admitted_whole_or_not_at_all() {
        let share = Buffer::new(ROOMY).share(Bounds {
            deliveries: 3,
            ..ROOMY
        });

        assert!(share.admit(100, &[1, 2, 3, 4]).is_none());
        assert_eq!(share.fill(), (0, 0));
        let permits = share.admit(100, &[1, 2, 3]).unwrap();

        assert_eq!(share.fill(), (3, 106));
        drop(permits);
    }

    #[test]
    fn the_common_body_is_counted_once_and_until_the_last_delivery_has_gone() {
        let buffer = Buffer::new(ROOMY);
        let share = buffer.share(ROOMY);
        let mut permits = share.admit(100, &[1, 2]).unwrap();

        drop(permits.remove(0));
        assert_eq!(buffer.fill(), (1, 102));

        drop(permits);
        assert_eq!(buffer.fill(), (0, 0));
    }

    #[test]
    fn what_shrinks_gives_back_the_difference_and_in_the_end_everything() {
        let buffer = Buffer::new(ROOMY);
        let mut permit = buffer.share(ROOMY).admit_one(500).unwrap();

        permit.shrink(120);
        assert_eq!(buffer.fill(), (1, 120));
        permit.shrink(300);
        assert_eq!(buffer.fill(), (1, 120));

        drop(permit);
        assert_eq!(buffer.fill(), (0, 0));
    }

    #[test]
    fn absurd_weights_are_refused_and_not_wrapped_around() {
        let limitless = Bounds {
            bytes: usize::MAX,
            deliveries: usize::MAX,
        };
        let share = Buffer::new(limitless).share(limitless);

        assert!(share.admit_one(usize::MAX).is_none());
        assert!(share.admit(usize::MAX, &[usize::MAX, usize::MAX]).is_none());

        assert_eq!(share.fill(), (0, 0));
    }
}
