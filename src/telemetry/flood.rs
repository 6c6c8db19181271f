//! Keeps strangers from filling the disk with log lines: so many a second of each noisy kind, the
//! rest is counted and the count is reported by one line.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// Lines of one kind within one second. Enough to see what is going on; 100 lines of 300 bytes a
/// second are 2.5 GB a day, which a log rotation survives.
pub(super) const LINES_PER_SECOND_MAX: u64 = 100;

/// What strangers, guests or a broken upstream can make us say at any rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Handshake,
    Accept,
    Unrouted,
    /// Webhooks that were answered with anything but a success.
    Refused,
    PluginFailure,
    Guest,
    Attempt,
    /// Deliveries that are held because their upstream fails.
    Held,
    /// Deliveries that succeeded after a failure: a whole backlog, when an upstream comes back.
    Recovered,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Handshake,
        Self::Accept,
        Self::Unrouted,
        Self::Refused,
        Self::PluginFailure,
        Self::Guest,
        Self::Attempt,
        Self::Held,
        Self::Recovered,
    ];

    /// The word in the log and in the metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Accept => "accept",
            Self::Unrouted => "unrouted",
            Self::Refused => "refused",
            Self::PluginFailure => "plugin_failure",
            Self::Guest => "guest",
            Self::Attempt => "attempt",
            Self::Held => "held",
            Self::Recovered => "recovered",
        }
    }
}

/// A line may be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// Lines of this kind that were not written since the last report.
    pub(super) suppressed: u64,
}

/// One gate for each kind of line.
#[derive(Debug)]
pub(super) struct Floods {
    started: Instant,
    gates: [Gate; Kind::ALL.len()],
}

#[derive(Debug, Default)]
struct Gate {
    /// The second (upper half) and the lines written in it (lower half), in one word so that both
    /// change together.
    window: AtomicU64,
    unreported: AtomicU64,
    suppressed: AtomicU64,
}

impl Floods {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            gates: Default::default(),
        }
    }

    /// Whether a line of this kind may be written at `now`.
    pub(super) fn admit(&self, kind: Kind, now: Instant) -> Option<Admitted> {
        // Second 0 is the empty window.
        let second = now.saturating_duration_since(self.started).as_secs() + 1;
        self.gates.get(kind as usize)?.admit(second)
    }

    /// What was suppressed and not reported yet; reported by asking.
    pub(super) fn take_unreported(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL
            .into_iter()
            .zip(&self.gates)
            .map(|(kind, gate)| (kind, gate.unreported.swap(0, Ordering::Relaxed)))
            .filter(|(_, lines)| *lines > 0)
    }

    /// Suppressed since the start, by kind.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Kind::ALL
            .into_iter()
            .zip(&self.gates)
            .map(|(kind, gate)| (kind.as_str(), gate.suppressed.load(Ordering::Relaxed)))
    }
}

impl Gate {
    fn admit(&self, second: u64) -> Option<Admitted> {
        const LINES: u64 = 0xffff_ffff;
        let entered = self
            .window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
                if second > window >> 32 {
                    Some(second << 32 | 1)
                } else if window & LINES < LINES_PER_SECOND_MAX {
                    Some(window + 1)
                } else {
                    None
                }
            });
        if entered.is_ok() {
            return Some(Admitted {
                suppressed: self.unreported.swap(0, Ordering::Relaxed),
            });
        }
        self.unreported.fetch_add(1, Ordering::Relaxed);
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Admitted, Floods, Instant, Kind, LINES_PER_SECOND_MAX};

    #[test]
    fn a_hundred_lines_a_second_pass_and_the_next_second_reports_the_rest() {
        let start = Instant::now();
        let floods = Floods::new(start);

        let passed = (0..LINES_PER_SECOND_MAX + 7)
            .filter(|_| floods.admit(Kind::Unrouted, start).is_some())
            .count() as u64;
        let later = floods.admit(Kind::Unrouted, start + Duration::from_secs(1));
        let after = floods.admit(Kind::Unrouted, start + Duration::from_secs(1));

        assert_eq!(passed, LINES_PER_SECOND_MAX);
        assert_eq!(later, Some(Admitted { suppressed: 7 }));
        assert_eq!(after, Some(Admitted { suppressed: 0 }));
    }

    #[test]
    fn a_flood_of_one_kind_silences_no_other() {
        let start = Instant::now();
        let floods = Floods::new(start);

        for _ in 0..=LINES_PER_SECOND_MAX {
            floods.admit(Kind::Handshake, start);
        }

        assert!(floods.admit(Kind::Handshake, start).is_none());
        assert!(floods.admit(Kind::PluginFailure, start).is_some());
    }

    #[test]
    fn a_flood_that_stops_is_reported_on_demand_and_once() {
        let start = Instant::now();
        let floods = Floods::new(start);

        for _ in 0..LINES_PER_SECOND_MAX + 3 {
            floods.admit(Kind::Guest, start);
        }

        assert_eq!(
            floods.take_unreported().collect::<Vec<_>>(),
            [(Kind::Guest, 3)]
        );
        assert_eq!(floods.take_unreported().count(), 0);
        assert!(floods.rows().any(|row| row == ("guest", 3)));
    }
}
