//! What goes wrong, and when: everything that a seed decides.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// What an upstream is like for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// 200.
    Well,
    /// No connection, and open ones are dropped: its process is gone.
    Refuses,
    /// Breaks off in the middle of the body.
    Resets,
    /// Takes every other one, and answers none.
    Hangs,
    /// Answers, some time; one in four too late.
    Slow,
    /// 500.
    Fails,
    /// 429 with `Retry-After`.
    Limits,
    /// 503 with `Retry-After`.
    Busy,
    /// Takes it, and closes without a word.
    TakesAndCloses,
    /// Takes it, and breaks off in the middle of its 200.
    HalfAnswers,
    /// Well, failing or gone, by the toss of a coin.
    Flaps,
}

const ILL: [Mood; 10] = [
    Mood::Refuses,
    Mood::Resets,
    Mood::Hangs,
    Mood::Slow,
    Mood::Fails,
    Mood::Limits,
    Mood::Busy,
    Mood::TakesAndCloses,
    Mood::HalfAnswers,
    Mood::Flaps,
];

/// How long an upstream is ill, or well, on the average.
const MOOD_TIME: Duration = Duration::from_secs(1);

/// The faults of a run, as times from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub seed: u64,
    /// Webhooks in a second.
    pub rate: u32,
    /// How long webhooks are sent.
    pub length: Duration,
    /// Moods with their beginnings, in order; the last one is well.
    pub moods: Vec<(Duration, Mood)>,
    /// When the process is replaced: SIGTERM.
    pub replaced: Duration,
    /// When it is killed: SIGKILL.
    pub killed: Duration,
    /// When its disk is full.
    pub filled: Duration,
}

impl Script {
    /// Every fault in turn, in an order and for times that the seed decides; well between them, for as
    /// long as ill.
    pub fn new(length: Duration, rate: u32, seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed);
        let mut moods = Vec::new();
        let mut at = Duration::ZERO;
        while at < length {
            let mut ill = ILL;
            dice.shuffle(&mut ill);
            for mood in ill {
                for mood in [Mood::Well, mood] {
                    moods.push((at, mood));
                    at += MOOD_TIME.mul_f64(0.7 + 0.6 * dice.f64());
                }
            }
        }
        moods.retain(|(from, _)| *from < length);
        moods.push((length, Mood::Well));
        let replaced = middle_of_an_ill_mood(&moods, length.mul_f64(0.3));
        let killed = middle_of_an_ill_mood(&moods, length.mul_f64(0.6));
        let filled = middle_of_an_ill_mood(&moods, length.mul_f64(0.1));
        Self {
            seed,
            rate,
            length,
            moods,
            replaced,
            killed,
            filled,
        }
    }

    /// Dice for one attempt at one webhook: the same in every run.
    pub fn dice(&self, number: usize, attempt: u32) -> Rng {
        let number = u64::try_from(number).unwrap();
        Rng::with_seed(self.seed ^ (number << 16) ^ u64::from(attempt))
    }

    pub fn webhooks(&self) -> usize {
        let webhooks = self.length.as_secs() * u64::from(self.rate);
        webhooks.try_into().unwrap()
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed, rate, length, ..
        } = self;
        let (replaced, killed, filled) = (self.replaced, self.killed, self.filled);
        write!(
            f,
            "seed {seed}, {rate} webhooks a second for {length:?}, disk full after {filled:.1?}, SIGTERM after {replaced:.1?}, SIGKILL after {killed:.1?}"
        )
    }
}

/// Of the first one from `after` on: when most is under way.
fn middle_of_an_ill_mood(moods: &[(Duration, Mood)], after: Duration) -> Duration {
    let mut pairs = moods.windows(2).map(|pair| (pair[0], pair[1].0));
    let ill = pairs.find(|((from, mood), _)| *from >= after && *mood != Mood::Well);
    let ((from, _), to) = ill.unwrap();
    (from + to) / 2
}
