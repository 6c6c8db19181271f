//! Upstreams in every mood.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::Instant;

use super::super::super::outcome::{Failed, Outcome};
use super::super::super::{Answer, Cause};
use crate::message::Fields;

/// What an upstream is like for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// No connection.
    Refuses,
    /// 500.
    Fails,
    /// 503 with `Retry-After`.
    Busy,
    /// Says nothing.
    Hangs,
    /// Takes it and breaks off: nobody knows.
    TakesAndBreaksOff,
    /// Well or failing, by the toss of a coin.
    Flaps,
}

/// What it does with one attempt.
pub(super) struct Act {
    pub(super) after: Duration,
    pub(super) takes: bool,
    pub(super) outcome: Outcome,
}

/// One that nobody can digest, wherever it goes.
pub(super) fn is_poison(number: u64) -> bool {
    number.is_multiple_of(97)
}

#[derive(Debug)]
pub(super) struct Moody {
    mood: Mood,
    until: Instant,
}

impl Moody {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            mood: Mood::Well,
            until: now,
        }
    }

    pub(super) fn act(&mut self, number: u64, now: Instant, dice: &mut fastrand::Rng) -> Act {
        if now >= self.until {
            self.mood = match dice.u8(..12) {
                0 => Mood::Refuses,
                1 => Mood::Fails,
                2 => Mood::Busy,
                3 => Mood::Hangs,
                4 => Mood::TakesAndBreaksOff,
                5 => Mood::Flaps,
                _ => Mood::Well,
            };
            self.until = now + Duration::from_millis(dice.u64(200..4_000));
        }
        let after = Duration::from_millis(dice.u64(1..30));
        let act = |takes, outcome| Act {
            after,
            takes,
            outcome,
        };
        match self.mood {
            Mood::Well | Mood::Flaps if is_poison(number) => {
                act(false, Outcome::Final(answer(StatusCode::GONE)))
            }
            Mood::Well => act(true, Outcome::Delivered(answer(StatusCode::OK))),
            Mood::Flaps if dice.bool() => act(true, Outcome::Delivered(answer(StatusCode::OK))),
            Mood::Fails | Mood::Flaps => act(
                false,
                failed(Cause::Failing(StatusCode::INTERNAL_SERVER_ERROR), None),
            ),
            Mood::Refuses => act(false, failed(Cause::Unreachable, None)),
            Mood::Busy => {
                let wait = Duration::from_secs(dice.u64(0..3));
                act(false, failed(Cause::Busy, Some(wait)))
            }
            Mood::Hangs => Act {
                after: Duration::from_secs(3600),
                ..act(false, failed(Cause::Timeout, None))
            },
            Mood::TakesAndBreaksOff => act(true, failed(Cause::Broken, None)),
        }
    }
}

pub(super) fn failed(cause: Cause, retry_after: Option<Duration>) -> Outcome {
    Outcome::Failed(Failed {
        cause,
        retry_after,
        reason: cause.as_str().into(),
    })
}

fn answer(status: StatusCode) -> Answer {
    Answer {
        status,
        fields: Fields::default(),
        body: Bytes::new(),
    }
}
