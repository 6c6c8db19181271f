//! How much may wait: one account of bytes and deliveries for the process, and a share of it for each route.
//!
//! Only the accounting lives here; what waits is in each worker's schedule. A place is taken before the
//! first attempt, so memory is bounded whether upstreams answer or not, and it is given back when the
//! [`Permit`] is dropped, so no path can forget it. This is the seam behind which a durable spool can stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
        let bounds = Amount::unpack(self.bounds.load(Ordering::Relaxed));
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

    fn give_back(&self, amount: Amount) {
        let before = self.filled.fetch_sub(amount.pack(), Ordering::Relaxed);
        debug_assert!(before >= amount.pack(), "more was given back than taken");
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

/// The account of the whole process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Account>);

impl Buffer {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Account::new(bounds)))
    }

    /// A route's part: bounded by itself and by the whole. Parts may add up to more than the whole.
    #[must_use]
    pub fn share(&self, bounds: Bounds) -> Arc<Share> {
        Arc::new(Share {
            account: Account::new(bounds),
            whole: Arc::clone(&self.0),
            lines: Arc::default(),
        })
    }

    /// Other bounds from now on. What is held stays, even where it exceeds them.
    pub fn resize(&self, bounds: Bounds) {
        let bounds = Amount::at_most(bounds).pack();
        self.0.bounds.store(bounds, Ordering::Relaxed);
    }

    /// Deliveries and bytes held now, those in an attempt included.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        let amount = self.0.fill();
        (to_usize(amount.deliveries), to_usize(amount.bytes))
    }
}

/// One route's part of the buffer.
#[derive(Debug)]
pub struct Share {
    account: Account,
    whole: Arc<Account>,
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
            let common = Arc::new(Permit {
                share: Arc::clone(self),
                amount: Amount {
                    bytes: common as u64,
                    deliveries: 0,
                },
                _common: None,
            });
            own.iter()
                .map(|bytes| Permit {
                    share: Arc::clone(self),
                    amount: Amount {
                        bytes: *bytes as u64,
                        deliveries: 1,
                    },
                    _common: Some(Arc::clone(&common)),
                })
                .collect()
        })
    }

    /// A place for one delivery of `bytes`, if there is one: no allocation. Dropping it settles.
    pub fn admit_one(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let amount = Amount {
            bytes: bytes as u64,
            deliveries: 1,
        };
        self.take(amount).then(|| Permit {
            share: Arc::clone(self),
            amount,
            _common: None,
        })
    }

    fn take(&self, amount: Amount) -> bool {
        if !self.account.take(amount) {
            return false;
        }
        let taken = self.whole.take(amount);
        if !taken {
            self.account.give_back(amount);
        }
        taken
    }
}

/// A delivery's place in the buffer; dropping it gives the place back.
#[derive(Debug)]
pub struct Permit {
    share: Arc<Share>,
    amount: Amount,
    /// What the deliveries of one webhook hold together.
    _common: Option<Arc<Self>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.share.account.give_back(self.amount);
        self.share.whole.give_back(self.amount);
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
