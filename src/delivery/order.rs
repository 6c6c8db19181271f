//! Who goes first: deliveries of one route to one upstream with the same ordering key, in the order in
//! which they were accepted.
//!
//! A delivery stands in its line until it has ended, whichever way, on whatever worker; only the first
//! one is attempted. Who has no key stands in no line and pays nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The lines of one route.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<Standing>);

#[derive(Debug, Default)]
struct Standing {
    lines: BTreeMap<Key, VecDeque<Member>>,
    joined: u64,
}

/// Upstream and ordering key.
type Key = (Arc<str>, Box<str>);

#[derive(Debug)]
struct Member {
    number: u64,
    /// Whom to wake when it comes first.
    waker: Option<Waker>,
}

/// A delivery's place in its line; dropping it lets the next one forward.
///
/// Dropping wakes, and a worker that is woken locks its own state: a place must not be dropped under
/// that lock.
#[derive(Debug)]
pub(super) struct Place {
    lines: Arc<Lines>,
    key: Key,
    number: u64,
}

impl Lines {
    /// The last place of the line.
    pub(super) fn join(self: &Arc<Self>, upstream: &Arc<str>, key: &str) -> Place {
        let key: Key = (Arc::clone(upstream), key.into());
        let mut standing = self.standing();
        standing.joined += 1;
        let number = standing.joined;
        let line = standing.lines.entry(key.clone()).or_default();
        line.push_back(Member {
            number,
            waker: None,
        });
        drop(standing);
        Place {
            lines: Arc::clone(self),
            key,
            number,
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Each change below is complete before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether it is the first one; else `waker` is woken when it has become so.
    pub(super) fn is_first(&self, waker: &Waker) -> bool {
        let mut standing = self.lines.standing();
        let Some(line) = standing.lines.get_mut(&self.key) else {
            return true;
        };
        match line.binary_search_by_key(&self.number, |member| member.number) {
            Ok(0) | Err(_) => true,
            Ok(place) => {
                if let Some(member) = line.get_mut(place) {
                    member.waker = Some(waker.clone());
                }
                false
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut standing = self.lines.standing();
        let Some(line) = standing.lines.get_mut(&self.key) else {
            return;
        };
        let place = line.binary_search_by_key(&self.number, |member| member.number);
        if let Ok(place) = place {
            line.remove(place);
        }
        let next = match place {
            Ok(0) => line.front_mut().and_then(|member| member.waker.take()),
            _ => None,
        };
        if line.is_empty() {
            standing.lines.remove(&self.key);
        }
        drop(standing);
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lines() -> (Arc<Lines>, Arc<str>, Arc<Woken>) {
        (Arc::default(), "u".into(), Arc::default())
    }

    #[test]
    fn only_the_first_of_a_line_goes_and_its_end_wakes_the_next() {
        let (lines, upstream, woken) = lines();
        let waker = Waker::from(Arc::clone(&woken));
        let [first, second, third] = [(); 3].map(|()| lines.join(&upstream, "k"));
        assert!(first.is_first(&waker));
        assert!(!second.is_first(&waker) && !third.is_first(&waker));

        drop(first);

        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(second.is_first(&waker) && !third.is_first(&waker));
    }

    #[test]
    fn who_leaves_from_the_middle_wakes_nobody_and_is_not_waited_for() {
        let (lines, upstream, woken) = lines();
        let waker = Waker::from(Arc::clone(&woken));
        let [first, second, third] = [(); 3].map(|()| lines.join(&upstream, "k"));
        assert!(!third.is_first(&waker));

        drop(second);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        drop(first);

        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(third.is_first(&waker));
    }

    #[test]
    fn other_keys_and_other_upstreams_stand_in_other_lines_and_empty_lines_leave_nothing() {
        let (lines, upstream, woken) = lines();
        let waker = Waker::from(woken);
        let places = [
            lines.join(&upstream, "k"),
            lines.join(&upstream, "l"),
            lines.join(&"v".into(), "k"),
        ];
        assert!(places.iter().all(|place| place.is_first(&waker)));

        drop(places);

        assert!(lines.standing().lines.is_empty());
    }
}
