//! What guests count: the metrics that a plugin describes, with a bound on how many series each has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::tally::Reading;

/// Series of one metric on one route: labels are kinds and outcomes, not users. What is beyond counts
/// as one more, of which all labels are [`OTHER`].
const SERIES_MAX: usize = 64;
/// Bytes of a label's value; a longer one is cut.
const VALUE_BYTES_MAX: usize = 64;
/// The labels of what has no series of its own any more.
const OTHER: &str = "other";

/// A metric as its plugin describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Letters, digits and `_`.
    pub name: Box<str>,
    /// Upper bounds of the buckets, ascending and finite, of what is observed; none for what is counted.
    pub buckets: Option<Vec<f64>>,
    /// Names of labels, none of which is ours.
    pub labels: Vec<Box<str>>,
}

/// The metrics of one plugin on one route, as one plan has them.
#[derive(Debug, Default)]
pub struct GuestMetrics {
    metrics: Vec<Arc<Metric>>,
    ignored: Arc<AtomicU64>,
}

impl GuestMetrics {
    /// Adds to a counter. What is not described that way is ignored and counted.
    pub fn count(&self, name: &str, delta: u32, labels: &[(String, String)]) {
        match self.series(name, false, labels) {
            Some(series) => {
                series.count.fetch_add(delta.into(), Ordering::Relaxed);
            }
            None => self.ignore(),
        }
    }

    /// Observes a value. What is not described that way, or is no number, is ignored and counted.
    pub fn observe(&self, name: &str, value: f64, labels: &[(String, String)]) {
        match self.series(name, true, labels) {
            Some(series) if value.is_finite() => series.observe(value),
            Some(_) | None => self.ignore(),
        }
    }

    fn series(&self, name: &str, observed: bool, labels: &[(String, String)]) -> Option<&Series> {
        let metric = self.metrics.iter().find(|m| *m.described.name == *name)?;
        let described = &metric.described;
        let known = |(name, _): &(String, String)| described.labels.iter().any(|l| **l == **name);
        if described.buckets.is_some() != observed || !labels.iter().all(known) {
            return None;
        }
        metric.series(labels)
    }

    fn ignore(&self) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
    }
}

/// All metrics of one plugin on one route that any plan in use describes.
#[derive(Debug, Default)]
pub(super) struct GuestMeters {
    metrics: Mutex<Vec<Weak<Metric>>>,
    ignored: Arc<AtomicU64>,
}

impl GuestMeters {
    /// Metrics with what they have counted already, where they are described as before.
    pub(super) fn resolve(&self, described: &[Described]) -> GuestMetrics {
        let mut all = self.lock();
        // Loading is the moment at which metrics come and go.
        all.retain(|metric| metric.strong_count() > 0);
        let resolve = |described: &Described| {
            let alive = all.iter().filter_map(Weak::upgrade);
            if let Some(known) = alive.into_iter().find(|m| m.described == *described) {
                return known;
            }
            let metric = Arc::new(Metric {
                described: described.clone(),
                first: OnceLock::new(),
            });
            all.push(Arc::downgrade(&metric));
            metric
        };
        GuestMetrics {
            metrics: described.iter().map(resolve).collect(),
            ignored: Arc::clone(&self.ignored),
        }
    }

    /// Those in use.
    pub(super) fn alive(&self) -> Vec<Arc<Metric>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Calls that were about no described metric.
    pub(super) fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Metric>>> {
        // A panic under the lock leaves the list valid: every change is one push or one removal.
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One metric: a list of series that only grows, so that it is read without a lock.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) described: Described,
    first: OnceLock<Box<Series>>,
}

/// One combination of labels.
#[derive(Debug)]
pub(super) struct Series {
    /// In the order of the description.
    pub(super) values: Vec<Box<str>>,
    /// Of a counter.
    count: AtomicU64,
    /// Of what is observed: by bucket, not cumulative; the last one is above all bounds.
    bounds: Vec<f64>,
    buckets: Vec<AtomicU64>,
    /// The bits of an `f64`.
    sum: AtomicU64,
    next: OnceLock<Box<Self>>,
}

impl Metric {
    fn series(&self, labels: &[(String, String)]) -> Option<&Series> {
        let value = |name: &str| {
            let given = labels.iter().find(|(label, _)| label == name);
            cut(given.map_or("", |(_, value)| value))
        };
        let is_it = |series: &Series| {
            let names = self.described.labels.iter();
            names
                .zip(&series.values)
                .all(|(name, v)| value(name) == &**v)
        };
        let mut slot = &self.first;
        for _ in 0..SERIES_MAX {
            let here = slot.get_or_init(|| {
                let values = self.described.labels.iter().map(|name| value(name).into());
                self.start(values.collect())
            });
            // Another thread may have taken the slot for other labels: then ours come after them.
            if is_it(here) {
                return Some(here);
            }
            slot = &here.next;
        }
        let other = || self.described.labels.iter().map(|_| OTHER.into()).collect();
        Some(slot.get_or_init(|| self.start(other())))
    }

    fn start(&self, values: Vec<Box<str>>) -> Box<Series> {
        let bounds = self.described.buckets.clone().unwrap_or_default();
        Box::new(Series {
            values,
            count: AtomicU64::new(0),
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            bounds,
            sum: AtomicU64::new(0),
            next: OnceLock::new(),
        })
    }

    /// Every combination of labels that was seen.
    pub(super) fn all(&self) -> impl Iterator<Item = &Series> {
        std::iter::successors(self.first.get(), |here| here.next.get()).map(|series| &**series)
    }
}

impl Series {
    fn observe(&self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        // Never an error: `add` always has an answer.
        let _ = self
            .sum
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn reading(&self) -> Reading {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|n| n.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        Reading {
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
            count: buckets.iter().map(|(_, n)| n).sum(),
            buckets,
        }
    }
}

fn cut(value: &str) -> &str {
    let end = value.floor_char_boundary(VALUE_BYTES_MAX);
    value.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(name: &str, buckets: Option<Vec<f64>>) -> Described {
        Described {
            name: name.into(),
            buckets,
            labels: vec!["kind".into()],
        }
    }

    fn labels(kind: &str) -> Vec<(String, String)> {
        vec![("kind".to_owned(), kind.to_owned())]
    }

    #[test]
    fn what_is_described_is_counted_by_its_labels_and_nothing_else_is() {
        let meters = GuestMeters::default();
        let metrics =
            meters.resolve(&[described("cards", None), described("size", Some(vec![1.0]))]);

        metrics.count("cards", 2, &labels("push"));
        metrics.count("cards", 1, &labels("push"));
        metrics.count("cards", 1, &[]);
        metrics.observe("size", 0.5, &labels("push"));
        metrics.observe("size", 2.0, &labels("push"));
        for ignored in ["nothing", "size"] {
            metrics.count(ignored, 1, &labels("push"));
        }
        metrics.observe("cards", 1.0, &labels("push"));
        metrics.observe("size", f64::NAN, &labels("push"));
        metrics.count("cards", 1, &[("user".to_owned(), "joe".to_owned())]);

        let alive = meters.alive();
        let counted: Vec<_> = alive[0].all().map(|s| (&*s.values[0], s.count())).collect();
        assert_eq!(counted, [("push", 3), ("", 1)]);
        let size = alive[1].all().next().unwrap().reading();
        assert_eq!((size.sum, size.count), (2.5, 2));
        assert_eq!(size.buckets, [(1.0, 1), (f64::INFINITY, 1)]);
        assert_eq!(meters.ignored(), 5);
    }

    #[test]
    fn labels_without_an_end_are_one_series_more_and_long_ones_are_cut() {
        let meters = GuestMeters::default();
        let metrics = meters.resolve(&[described("cards", None)]);

        for n in 0..1_000 {
            metrics.count("cards", 1, &labels(&n.to_string()));
        }
        let alive = meters.alive();
        let last = alive[0].all().last().unwrap();
        assert_eq!(alive[0].all().count(), SERIES_MAX + 1);
        assert_eq!((&*last.values[0], last.count()), (OTHER, 936));

        let metrics = meters.resolve(&[described("other", None)]);
        metrics.count("other", 1, &labels(&"ä".repeat(100)));
        let alive = meters.alive();
        assert_eq!(*alive[1].all().next().unwrap().values[0], *"ä".repeat(32));
    }

    #[test]
    fn a_reload_goes_on_counting_what_is_described_as_before_and_forgets_the_rest() {
        let meters = GuestMeters::default();
        let before = meters.resolve(&[described("cards", None), described("old", None)]);
        before.count("cards", 1, &labels("push"));

        let after = meters.resolve(&[described("cards", None), described("new", None)]);
        after.count("cards", 1, &labels("push"));
        drop(before);

        let alive = meters.alive();
        let names: Vec<_> = alive.iter().map(|m| &*m.described.name).collect();
        assert_eq!(names, ["cards", "new"]);
        assert_eq!(alive[0].all().next().unwrap().count(), 2);
    }
}
