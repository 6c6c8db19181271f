//! Counters and histograms that cost an atomic add: no lock, no hash, no allocation.
//!
//! Own ones, because the histogram of prometheus-client takes a mutex for each observation and its
//! families hash their labels; the exposition is still written by that crate.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The row for a word that nobody announced: a count in the wrong row beats a lost count.
const OTHER: &str = "other";

/// One counter for each word of a small closed list.
#[derive(Debug)]
pub(super) struct Tally {
    words: &'static [&'static str],
    /// In the order of `words`; the last one is [`OTHER`].
    counts: Box<[AtomicU64]>,
}

impl Tally {
    pub(super) fn new(words: &'static [&'static str]) -> Self {
        Self {
            words,
            counts: zeros(words.len() + 1),
        }
    }

    pub(super) fn count(&self, word: &str) {
        let place = self
            .words
            .iter()
            .position(|known| *known == word)
            .unwrap_or(self.words.len());
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every word with its count.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let words = self.words.iter().copied().chain([OTHER]);
        words
            .zip(
                self.counts
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .filter(|(word, count)| *word != OTHER || *count > 0)
    }
}

/// How long things took.
#[derive(Debug)]
pub(super) struct Histogram {
    /// Upper bounds in nanoseconds, ascending.
    bounds: &'static [u64],
    /// Not cumulative; the last one is above all bounds.
    counts: Box<[AtomicU64]>,
    /// Wraps after 584 years of work.
    sum_ns: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: zeros(bounds.len() + 1),
            sum_ns: AtomicU64::new(0),
        }
    }

    pub(super) fn observe(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = self.bounds.partition_point(|bound| *bound < ns);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// What was observed until now, in seconds.
    pub(super) fn reading(&self) -> Reading {
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let bounds = self
            .bounds
            .iter()
            .map(|ns| Duration::from_nanos(*ns).as_secs_f64());
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        Reading {
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)).as_secs_f64(),
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
        }
    }
}

/// A histogram at one moment.
#[derive(Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Upper bound and the observations that fell between the bound before and this one.
    pub(super) buckets: Vec<(f64, u64)>,
}

/// Keys that one plugin may use on one route; a rotation needs two. What is beyond is not counted.
const KEYS_MAX: usize = 64;

/// How often each key matched: a list that only grows, so that it is read without a lock.
#[derive(Debug, Default)]
pub(super) struct KeyMatches {
    head: OnceLock<Box<KeyMatch>>,
}

#[derive(Debug)]
struct KeyMatch {
    key: Box<str>,
    label: Box<str>,
    count: AtomicU64,
    next: OnceLock<Box<Self>>,
}

impl KeyMatches {
    /// Makes the series exist at 0.
    pub(super) fn announce(&self, key: &str, label: &str) {
        self.add(key, label, 0);
    }

    pub(super) fn count(&self, key: &str, label: &str) {
        self.add(key, label, 1);
    }

    fn add(&self, key: &str, label: &str, count: u64) {
        let mut slot = &self.head;
        for _ in 0..KEYS_MAX {
            let here = slot.get_or_init(|| {
                Box::new(KeyMatch {
                    key: key.into(),
                    label: label.into(),
                    count: AtomicU64::new(0),
                    next: OnceLock::new(),
                })
            });
            // Another thread may have taken the slot for another key: then ours comes after it.
            if &*here.key == key && &*here.label == label {
                here.count.fetch_add(count, Ordering::Relaxed);
                return;
            }
            slot = &here.next;
        }
    }

    /// Name and label of each key, and how often it matched.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        std::iter::successors(self.head.get(), |here| here.next.get())
            .map(|here| (&*here.key, &*here.label, here.count.load(Ordering::Relaxed)))
    }
}

fn zeros(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Duration, Histogram, KEYS_MAX, KeyMatches, Tally};

    #[test]
    fn a_word_nobody_announced_is_counted_as_other() {
        let tally = Tally::new(&["delivered", "timeout"]);

        tally.count("timeout");
        tally.count("eaten by a dog");

        let rows: Vec<_> = tally.rows().collect();
        assert_eq!(rows, [("delivered", 0), ("timeout", 1), ("other", 1)]);
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket_and_the_next_nanosecond_to_the_next() {
        let histogram = Histogram::new(&[1_000, 1_000_000]);

        histogram.observe(Duration::from_nanos(1_000));
        histogram.observe(Duration::from_nanos(1_001));
        histogram.observe(Duration::from_secs(1));

        let reading = histogram.reading();
        assert_eq!(reading.buckets, [(1e-6, 1), (1e-3, 1), (f64::INFINITY, 1)]);
        assert_eq!(reading.count, 3);
        assert_eq!(reading.sum, 1.000_002_001);
    }

    #[test]
    fn a_key_is_counted_by_name_and_label() {
        let keys = KeyMatches::default();

        keys.announce("hmac", "env:OLD");
        keys.count("hmac", "env:NEW");
        keys.count("hmac", "env:NEW");

        let rows: Vec<_> = keys.rows().collect();
        assert_eq!(rows, [("hmac", "env:OLD", 0), ("hmac", "env:NEW", 2)]);
    }

    #[test]
    fn keys_beyond_the_bound_take_no_memory() {
        let keys = KeyMatches::default();

        for n in 0..=KEYS_MAX {
            keys.count("hmac", &n.to_string());
        }

        assert_eq!(keys.rows().count(), KEYS_MAX);
    }
}
