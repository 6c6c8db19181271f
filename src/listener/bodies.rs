//! What all bodies together, and those of one sender, may hold while they come in.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::message::Unread;

/// Bodies that are being read, all connections together. Without it, the connections times the largest
/// body is what strangers could make us hold.
const BYTES_MAX: usize = 256 << 20;
/// Beyond this, there is room only for senders that hold little: bodies that one of them never finishes
/// must not lock the others out.
const CROWDED: usize = BYTES_MAX / 4 * 3;
/// What an address may hold then: some bodies of the largest provider's kind.
const SHARE: usize = BYTES_MAX / 4;
/// Addresses are counted by their hash, so that no lock is taken: two of the same one are one.
const SHARES: usize = 256;

/// The bytes of bodies that are being read. One that came in one read is never counted.
#[derive(Debug)]
pub struct Bodies {
    bytes: AtomicUsize,
    shares: [AtomicUsize; SHARES],
    hash: RandomState,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            shares: std::array::from_fn(|_| AtomicUsize::new(0)),
            hash: RandomState::new(),
        }
    }
}

impl Bodies {
    /// What all of them hold.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What is held by an address, and by those that share its count. A network of IPv6 is one sender: a
    /// host has as many addresses in it as it likes (RFC 4291, 2.5.1).
    fn share(&self, address: IpAddr) -> usize {
        let hash = match address.to_canonical() {
            IpAddr::V4(address) => self.hash.hash_one(address),
            IpAddr::V6(address) => self.hash.hash_one(address.octets().first_chunk::<8>()),
        };
        usize::try_from(hash % SHARES as u64).unwrap_or_default()
    }

    fn add(&self, share: usize, bytes: usize) -> Result<(), Unread> {
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let own = match self.shares.get(share) {
            Some(share) => share.fetch_add(bytes, Ordering::Relaxed) + bytes,
            None => 0,
        };
        if all > BYTES_MAX || (all > CROWDED && own > SHARE) {
            Err(Unread::Full)
        } else {
            Ok(())
        }
    }

    fn give_back(&self, share: usize, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(share) = self.shares.get(share) {
            share.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// The bytes of one body in the count, given back when it has been read or refused.
#[derive(Debug)]
pub(super) struct Held {
    bodies: Arc<Bodies>,
    share: usize,
    bytes: usize,
}

impl Held {
    /// Nothing yet, of a sender at this address.
    pub(super) fn new(bodies: &Arc<Bodies>, address: IpAddr) -> Self {
        Self {
            bodies: Arc::clone(bodies),
            share: bodies.share(address),
            bytes: 0,
        }
    }

    /// Holds this many bytes instead of fewer.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Unread> {
        let more = bytes.saturating_sub(self.bytes);
        self.bytes += more;
        self.bodies.add(self.share, more)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.give_back(self.share, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, Bodies, CROWDED, Held, SHARE};
    use crate::message::Unread;
    use std::sync::Arc;

    fn held(bodies: &Arc<Bodies>, address: &str) -> Held {
        Held::new(bodies, address.parse().unwrap())
    }

    #[test]
    fn all_bodies_together_have_a_bound_and_give_back_what_they_held() {
        let bodies = Arc::new(Bodies::default());
        let [mut all, mut more] = [(); 2].map(|()| held(&bodies, "192.0.2.1"));

        assert_eq!(all.hold(CROWDED), Ok(()));
        assert_eq!(all.hold(BYTES_MAX + 1), Err(Unread::Full));
        assert_eq!(more.hold(1), Err(Unread::Full));
        drop(all);

        assert_eq!(more.hold(1), Ok(()));
        drop(more);
        assert_eq!(bodies.bytes(), 0);
    }

    #[test]
    fn who_holds_much_leaves_the_last_room_to_those_who_hold_little() {
        let bodies = Arc::new(Bodies::default());
        let mut much = held(&bodies, "2001:db8::1");
        let mut same_network = held(&bodies, "2001:db8::2");
        // The hash is different in every process: somebody who is not counted with the first.
        let mut other = (1..)
            .map(|host| held(&bodies, &format!("192.0.2.{host}")))
            .find(|held| held.share != much.share)
            .unwrap();

        assert_eq!(much.hold(CROWDED), Ok(()));
        assert_eq!(same_network.hold(1), Err(Unread::Full));
        drop(same_network);
        assert_eq!(other.hold(SHARE), Ok(()));
        assert_eq!(other.hold(SHARE + 1), Err(Unread::Full));
    }
}
